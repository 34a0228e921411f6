import { assert, constantFrom, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { instantMilliseconds, isDate, isDateTime, isInstant, NUMBER_TESTS, STRING_TESTS } from "./primitives.ts";

describe("dates", () => {
  it.each(["2024", "0001", "9999", "2024-02", "2024-02-29", "2000-02-29", "2023-12-31"])("%s is a date", (text) => {
    expect(isDate(text)).toBe(true);
    expect(isDateTime(text)).toBe(true);
  });
  it.each([
    "0000",
    "24",
    "2024-13",
    "2024-00",
    "2024-1",
    "2023-02-29",
    "1900-02-29",
    "2024-04-31",
    "2024-01-00",
    "2024-01-32",
    "31/12/1999",
    "2024/01/01",
    "2024-01-01 ",
    " 2024-01-01",
    "２０２４",
    "2024-01-01T00:00:00Z",
    "now",
  ])("%j is no date (C-013)", (text) => {
    expect(isDate(text)).toBe(false);
  });
});

describe("dateTime and instant", () => {
  it.each([
    ["2024-01-01T00:00:00Z", true],
    ["2024-01-01T23:59:60+14:00", true],
    ["2024-01-01T00:00:00.123456789-13:59", true],
    ["2024-01-01T00:00:00", false], // contract 10.3: a time without zone is read as UTC
    ["2024-01-01T00:00:00.5", false],
  ])("%s is a dateTime; with a zone (%s) an instant", (text, zoned) => {
    expect(isDateTime(text)).toBe(true);
    expect(isInstant(text)).toBe(zoned);
  });
  it.each([
    "2024-01-01T00:00",
    "2024-01-01T00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T23:60:00Z",
    "2024-01-01T23:59:61Z",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00,5Z",
    "2024-01-01t00:00:00Z",
    "2024-01-01T00:00:00z",
    "2024-01-01T00:00:00+14:01",
    "2024-01-01T00:00:00+1:00",
    "2024-01-01T00:00:00+0100",
    "2024-01-01T00:00:00Z ",
    "2024-01-01 00:00:00Z",
    "2023-02-30T00:00:00Z",
    "2024-01T00:00:00Z",
    "2024-01-01T",
  ])("%j is neither", (text) => {
    expect(isDateTime(text)).toBe(false);
    expect(isInstant(text)).toBe(false);
    expect(instantMilliseconds(text)).toBeUndefined();
  });
});

describe("instantMilliseconds", () => {
  it.each([
    ["2021-05-06T07:08:09.1239Z", "2021-05-06T07:08:09.123Z"], // C-041: truncated
    ["2021-05-06T17:08:09+10:00", "2021-05-06T07:08:09.000Z"], // C-042
    ["2021-05-06T07:08:09-00:30", "2021-05-06T07:38:09.000Z"],
    ["2021-05-06T07:08:09", "2021-05-06T07:08:09.000Z"],
    ["1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"],
    ["2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"],
    ["0050-01-01T00:00:00.5Z", "0050-01-01T00:00:00.500Z"],
  ])("%s is %s", (text, expected) => {
    expect(new Date(instantMilliseconds(text) ?? Number.NaN).toISOString()).toBe(expected);
  });
});

describe("other primitives", () => {
  it.each([
    ["time", "23:59:59.5", true],
    ["time", "23:59", false],
    ["time", "23:59:59Z", false],
    ["id", "a".repeat(64), true],
    ["id", "a".repeat(65), false],
    ["id", "under_score", false],
    ["code", "a b", true],
    ["code", " a", false],
    ["code", "a ", false],
    ["code", "a  b", false],
    ["code", "\t", false],
    ["code", "   ", false],
    ["code", "\u00a0", false],
    ["code", "\u3000\u200b\ufeff", false],
    ["code", "\u0001", false],
    ["code", "CHEST\u00a0", true], // HL7's v2-0550 has it
    ["code", "a\u00a0b", true],
    ["code", "ä😀", true],
    ["uri", "urn:x:ü", true],
    ["uri", "http://a b", false],
    ["oid", "urn:oid:1.2.840", true],
    ["oid", "1.2.840", false],
    ["uuid", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", true],
    ["uuid", "c757873d-ec9a-4326-a141-556f43239520", false],
    ["base64Binary", "aGVsbG8=\r\n", true],
    ["base64Binary", "a-b_", false],
    ["base64Binary", " QUJD\n QUJDQQ==", true],
    ["base64Binary", "QUJDR", false],
    ["base64Binary", "====", false],
    ["base64Binary", "A", false],
    ["base64Binary", "QQ=", false],
    ["base64Binary", "QQ", false],
    ["base64Binary", "Q===", false],
    ["base64Binary", "QQ=A", false],
    ["base64Binary", "QQ==QUJD", false],
    ["base64Binary", "QU JD", false],
    ["base64Binary", " \n ", false],
    ["base64Binary", "QUJ\u00a0", false],
  ])("%s %j: %s", (type, value, legal) => {
    expect(STRING_TESTS.get(type)?.(value)).toBe(legal);
  });

  it("takes of base64 what R4's expression and a decoder take", () => {
    const expression = /^(\s*([0-9a-zA-Z+/=]){4}\s*)+$/;
    const text = string({ unit: constantFrom("Q", "U", "=", " ", "\n", "-"), maxLength: 12 });
    assert(
      property(text, (value) => {
        const packed = value.replaceAll(/\s/g, "");
        const isDecodable = packed !== "" && /^[^=]*={0,2}$/.test(packed) && !packed.startsWith("=");
        const isLegal = expression.test(value) && isDecodable && Buffer.from(packed, "base64").length > 0;
        expect(STRING_TESTS.get("base64Binary")?.(value)).toBe(isLegal);
      }),
    );
  });

  it("takes 15 MB of base64 (C-020)", () => {
    expect(STRING_TESTS.get("base64Binary")?.("QUJD".repeat(4_000_000))).toBe(true);
  });

  it.each([
    ["integer", 2147483647, true],
    ["integer", 2147483648, false],
    ["integer", -2147483648, true],
    ["integer", 1.5, false],
    ["unsignedInt", 0, true],
    ["unsignedInt", -1, false],
    ["unsignedInt", -0, false],
    ["integer", -0, true],
    ["positiveInt", 1, true],
    ["positiveInt", 0, false],
  ])("%s %d: %s", (type, value, legal) => {
    expect(NUMBER_TESTS.get(type)?.(value)).toBe(legal);
  });
});

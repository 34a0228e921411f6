import { assert, integer, property, string, stringMatching } from "fast-check";
import { describe, expect, it } from "vitest";
import { dateRangeOf } from "./date-range.ts";

const TICKS_PER_MS = 10_000n;

/** Reference: ticks of an instant with `Date` and BigInt. */
function ticksOf(iso: string): bigint {
  return BigInt(Date.parse(iso)) * TICKS_PER_MS;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

describe("dateRangeOf (contract 10.3)", () => {
  it.each([
    ["2012", "2012-01-01T00:00:00Z", "2013-01-01T00:00:00Z"],
    ["2012-02", "2012-02-01T00:00:00Z", "2012-03-01T00:00:00Z"],
    ["2012-12", "2012-12-01T00:00:00Z", "2013-01-01T00:00:00Z"],
    ["2012-02-29", "2012-02-29T00:00:00Z", "2012-03-01T00:00:00Z"],
    ["1969-12-31", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"],
    ["0001", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"],
    ["9999-12-31", "9999-12-31T00:00:00Z", "+010000-01-01T00:00:00Z"],
    ["2012-03-14T09:26", "2012-03-14T09:26:00Z", "2012-03-14T09:27:00Z"],
    ["2012-03-14T09:26:53", "2012-03-14T09:26:53Z", "2012-03-14T09:26:54Z"],
    ["2012-03-14T09:26:53+05:30", "2012-03-14T03:56:53Z", "2012-03-14T03:56:54Z"],
    ["2012-03-14T09:26:53-14:00", "2012-03-14T23:26:53Z", "2012-03-14T23:26:54Z"],
  ])("%s spans its whole period", (text, from, to) => {
    expect(dateRangeOf(text)).toEqual({ low: ticksOf(from), high: ticksOf(to) - 1n });
  });

  it.each([
    ["2012-03-14T09:26:53.250", 2_500_000n],
    ["2012-03-14T09:26:53.2500001Z", 2_500_001n],
    ["2012-03-14T09:26:53.25000019Z", 2_500_001n],
    ["2012-03-14T09:26:53.0Z", 0n],
    ["2012-03-14T09:26:53.9999999999999Z", 9_999_999n],
  ])("%s is a point, cut off after 100 ns", (text, ticks) => {
    const point = ticksOf("2012-03-14T09:26:53Z") + ticks;
    expect(dateRangeOf(text)).toEqual({ low: point, high: point });
  });

  it.each(["2016-12-31T23:59:60Z", "2016-12-31T23:59:60.5Z", "2017-01-01T05:29:60+05:30"])(
    "%s, a leap second, is where its own minute ends",
    (text) => {
      const last = ticksOf("2017-01-01T00:00:00Z") - 1n;
      expect(dateRangeOf(text)).toEqual({ low: last, high: last });
    },
  );

  it.each([
    "",
    "201",
    "0000",
    "20123",
    "2012-",
    "2012-13",
    "2012-00",
    "2012-3-1",
    "2011-02-29",
    "1900-02-29",
    "2012-04-31",
    "2012-03-14T",
    "2012-03-14T09",
    "2012-03-14T24:00:00Z",
    "2012-03-14T09:60",
    "2012-03-14T09:26:61",
    "2012-03-14T09:26:53.",
    "2012-03-14T09:26:53.Z",
    "2012-03-14T09:26:53Zx",
    "2012-03-14T09:26:53+15:00",
    "2012-03-14T09:26:53+0530",
    "2012-03-14 09:26:53",
    " 2012",
    "２012",
    "abcd",
  ])("refuses %j", (text) => {
    expect(dateRangeOf(text)).toBeUndefined();
  });

  it("agrees with Date and BigInt on every instant", () => {
    const milliseconds = integer({
      min: Date.parse("0001-01-01T00:00:00Z"),
      max: Date.parse("9999-12-31T23:59:59Z"),
    });
    assert(
      property(milliseconds, integer({ min: 0, max: 9999 }), integer({ min: -840, max: 840 }), (ms, sub, zone) => {
        const iso = new Date(ms).toISOString();
        const sign = zone < 0 ? "-" : "+";
        const offset = `${sign}${pad(Math.floor(Math.abs(zone) / 60))}:${pad(Math.abs(zone) % 60)}`;
        const point = BigInt(ms) * TICKS_PER_MS + BigInt(sub) - BigInt(zone) * 600_000_000n;
        const text = `${iso.slice(0, -1)}${String(sub).padStart(4, "0")}${offset}`;
        expect(dateRangeOf(text)).toEqual({ low: point, high: point });
        const second = (BigInt(Math.floor(ms / 1000)) - BigInt(zone) * 60n) * 10_000_000n;
        expect(dateRangeOf(`${iso.slice(0, 19)}${offset}`)).toEqual({ low: second, high: second + 9_999_999n });
      }),
    );
  });

  it("never throws, whatever the text", () => {
    assert(property(string(), (text) => void dateRangeOf(text)));
    assert(property(stringMatching(/^[0-9:TZ.+-]{0,32}$/), (text) => void dateRangeOf(text)));
  });
});

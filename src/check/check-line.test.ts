import { describe, expect, it } from "vitest";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { SOFT_DELETE_URL } from "../fhir/soft-delete.ts";
import { checkLine, type CheckedResource, type LineRules } from "./check-line.ts";
import type { LineIssue } from "./issue.ts";

const NOW = Date.UTC(2026, 0, 1);
const INCREMENTAL: LineRules = { mode: "IncrementalLoad", declaredType: undefined, now: NOW };
const INITIAL: LineRules = { ...INCREMENTAL, mode: "InitialLoad" };
const iso = (ms: number): string => new Date(ms).toISOString();

function good(text: string, rules: LineRules = INCREMENTAL): CheckedResource {
  const result = checkLine(text, rules);
  if (result.kind === "issue") throw new Error(result.text);
  return result;
}
function bad(text: string, rules: LineRules = INCREMENTAL): LineIssue {
  const result = checkLine(text, rules);
  if (result.kind !== "issue") throw new Error("the line passed");
  return result;
}
const withId = (id: string): string => `{"resourceType":"Patient","id":${JSON.stringify(id)}}`;
const withMeta = (meta: string): string => `{"resourceType":"Patient","id":"a","meta":${meta}}`;
const marked = (extension: string): string => withMeta(`{"extension":[{"url":"urn:other"},${extension}]}`);

/** A resource with nothing else wrong. */
const nested = (items: number): string =>
  `{"resourceType":"Questionnaire","id":"q","item":${'[{"linkId":"a","item":'.repeat(items)}[]${"}]".repeat(items)}}`;

describe("parsing (contract 5.1)", () => {
  it("C-001 takes a bare resource", () => {
    expect(good('{"resourceType":"Patient","id":"c001"}')).toEqual({
      kind: "resource",
      typeId: resourceTypeId("Patient"),
      type: "Patient",
      id: "c001",
      versionId: undefined,
      lastUpdated: undefined,
      hasMetaVersion: false,
      deleted: false,
      hasEmpty: false,
      resource: { resourceType: "Patient", id: "c001" },
    });
  });
  it("C-003 does not mind a carriage return at the end", () => {
    expect(good(`${withId("c003")}\r`).id).toBe("c003");
  });
  it.each([
    ["C-007", "invalid-row"],
    ["C-008", '{"resourceType":"Patient","id":"c008"'],
    ["C-017", '{"resourceType":"Patient","id":"c017a"}{"resourceType":"Patient","id":"c017b"}'],
    ["C-018", '{"resourceType":"Patient","id":"c018a"}\r{"resourceType":"Patient","id":"c018b"}'],
    ["C-028", "\u001f\ufffd\b\u0000"],
  ])("%s is no JSON", (_, line) => {
    expect(bad(line)).toMatchObject({
      code: "structure",
      text: expect.stringMatching(/^Invalid Json encountered. Details: ./),
    });
  });
  it("takes 128 levels of objects and arrays", () => {
    expect(good(nested(63)).hasEmpty).toBe(true);
  });
  it.each([
    ["of a sound resource", nested(64), 130],
    ["of arrays in arrays", `{"resourceType":"Patient","id":"a","name":${"[".repeat(500)}${"]".repeat(500)}}`, 501],
    ["of a text that is no JSON", "[".repeat(1000), 1000],
    ["of a long line", `{"resourceType":"Patient","id":"a","name":${"[".repeat(100_000)}`, 100_001],
  ])("refuses more levels, %s, with the limit and what was found", (_, line, found) => {
    expect(bad(line)).toMatchObject({
      code: "too-long",
      text: expect.stringContaining(
        `Details: the line has more than 128 levels of objects and arrays: found ${found},`,
      ) as string,
    });
  });
  it.each([
    ["C-009", '{"id":"c009"}', "structure", "The resource has no resourceType."],
    ["C-010", '{"resourceType":"Spaceship","id":"c010"}', "structure", 'resourceType "Spaceship"'],
    ["C-011", '{"resourceType":"Patient","id":"c011","shoeSize":43}', "structure", "Patient.shoeSize"],
    ["C-012", '{"resourceType":"Patient","id":"c012","gender":"robot"}', "code-invalid", "Patient.gender"],
    ["C-013", '{"resourceType":"Patient","id":"c013","birthDate":"31/12/1999"}', "value", "Patient.birthDate"],
    ["C-019", '[{"resourceType":"Patient","id":"c019"}]', "structure", "found an array"],
  ])("%s is refused", (_, line, code, text) => {
    expect(bad(line)).toMatchObject({ code, text: expect.stringContaining(text) });
  });
  it.each([
    ["C-014", '{"resourceType":"Observation","id":"c014","valueString":"x"}'],
    ["C-015", '{"resourceType":"Patient","id":"c015","active":null,"language":"","name":[{}]}'],
    ["C-020", `{"resourceType":"Binary","id":"c020","contentType":"x/y","data":"${"QUJD".repeat(3_750_000)}"}`],
    [
      "C-026",
      '{"resourceType":"Bundle","id":"c026","type":"collection","entry":[{"resource":{"resourceType":"Basic"}}]}',
    ],
  ])("%s is taken", (_, line) => {
    expect(good(line).kind).toBe("resource");
  });
  it("C-021 wants the declared type", () => {
    const rules: LineRules = { ...INCREMENTAL, declaredType: "Observation" };
    expect(bad(withId("a"), rules)).toMatchObject({ code: "invalid", text: "Resource type not match." });
    expect(good(withId("a"), { ...rules, declaredType: "Patient" }).type).toBe("Patient");
  });
  it.each(["InitialLoad", "IncrementalLoad"] as const)("C-023 refuses a SearchParameter in %s", (mode) => {
    const line =
      '{"resourceType":"SearchParameter","id":"c023","url":"urn:x:sp","name":"x","status":"active","description":"d",' +
      '"code":"x","base":["Patient"],"type":"string","expression":"Patient.id"}';
    const issue = bad(line, { ...INCREMENTAL, mode });
    expect(issue).toMatchObject({
      code: "not-supported",
      text: "SearchParameter resources cannot be processed by import.",
    });
  });
});

describe("ids (contract 5.2)", () => {
  const RULE =
    "Id must be any combination of upper or lower case ASCII letters ('A'..'Z', and 'a'..'z'), numerals ('0'..'9'), '-' and '.', with a length limit of 64 characters. (This might be an integer, an un-prefixed OID, UUID, or any other identifier pattern that meets these constraints.)";
  it.each([
    ["C-030", "x".repeat(64)],
    ["C-032", "abc.123.ABC"],
    ["C-032", "0123456789abcdef0123456789abcdef"],
    ["C-032", "c757873d-ec9a-4326-a141-556f43239520"],
    ["C-037", "Case-A"],
    ["C-037", "case-a"],
  ])("%s takes %s", (_, id) => {
    expect(good(withId(id)).id).toBe(id);
  });
  it.each([
    ["C-031", "x".repeat(72)],
    ["C-033", "#x"],
    ["C-033", "/x/"],
    ["C-033", "a#b/c"],
    ["C-033", "?a&b"],
    ["C-036", "under_score"],
    ["C-038", "ümlaut"],
    ["a line end", "a\n"],
  ])("%s refuses %j", (_, id) => {
    const text = `Invalid resource id: '${id}'. ${RULE}`;
    expect(bad(withId(id))).toEqual({
      kind: "issue",
      code: "value",
      text,
      expression: "Patient.id",
      typeId: resourceTypeId("Patient"),
    });
  });
  it.each([
    ["C-034", withId("")],
    ["C-035", '{"resourceType":"Patient"}'],
    ["null", '{"resourceType":"Patient","id":null}'],
  ])("%s: no id", (_, line) => {
    expect(bad(line).text).toBe(`Invalid resource id: 'null or empty'. ${RULE}`);
  });
});

describe("meta (contract 5.3)", () => {
  const D2021 = Date.UTC(2021, 0, 1);
  it.each([
    ["C-040", '{"versionId":"2","lastUpdated":"2021-01-01T00:00:00.000+00:00"}', 2, D2021],
    ["C-016", '{"versionId":4,"lastUpdated":"2021-01-01T00:00:00Z"}', 4, D2021],
    ["C-041", '{"lastUpdated":"2021-01-01T00:00:00.1239Z"}', undefined, D2021 + 123],
    ["C-042", '{"lastUpdated":"2021-01-01T10:00:00+10:00"}', undefined, D2021],
    ["C-045", '{"versionId":"7"}', undefined, undefined],
    ["C-047", '{"versionId":"abc","lastUpdated":"2021-01-01T00:00:00Z"}', undefined, D2021],
    ["C-047", '{"versionId":"99999999999","lastUpdated":"2021-01-01T00:00:00Z"}', undefined, D2021],
    ["C-047", '{"versionId":99999999999,"lastUpdated":"2021-01-01T00:00:00Z"}', undefined, D2021],
    ["C-048", '{"versionId":"0","lastUpdated":"2021-01-01T00:00:00Z"}', 0, D2021],
    ["C-100", '{"versionId":"-200","lastUpdated":"2021-01-01T00:00:00Z"}', -200, D2021],
    ["empty", '{"versionId":"","lastUpdated":""}', undefined, undefined],
    ["null", '{"versionId":null,"lastUpdated":null}', undefined, undefined],
  ])("%s %s", (_, meta, versionId, lastUpdated) => {
    expect(good(withMeta(meta))).toMatchObject({ versionId, lastUpdated, hasMetaVersion: true });
    expect(good(withMeta(meta), INITIAL)).toMatchObject({
      versionId: undefined,
      lastUpdated: undefined,
      hasMetaVersion: true,
    });
  });
  it.each([
    '{"versionId":1.5}',
    '{"versionId":4.0}',
    '{"versionId":4e0}',
    '{"versionId":"a b_c"}',
    '{"versionId":" 4"}',
  ])("a versionId must be an id, or a JSON integer: %s", (meta) => {
    expect(bad(withMeta(meta))).toMatchObject({ code: "value", expression: "Patient.meta.versionId" });
  });
  it("tells when there is neither", () => {
    expect(good(withMeta('{"tag":[]}')).hasMetaVersion).toBe(false);
    expect(good(withMeta("null")).hasMetaVersion).toBe(false);
  });
  it("C-043 refuses the future", () => {
    const line = withMeta(`{"lastUpdated":"${iso(NOW + 60_000)}"}`);
    expect(bad(line).text).toBe("LastUpdated in the resource cannot be in the future.");
    expect(bad(withMeta(`{"lastUpdated":"${iso(NOW + 10_001)}"}`)).expression).toBe("Patient.meta.lastUpdated");
  });
  it.each([8_000, 10_000])("C-044 takes now + %d ms", (ahead) => {
    expect(good(withMeta(`{"lastUpdated":"${iso(NOW + ahead)}"}`)).lastUpdated).toBe(NOW + ahead);
  });
  it("C-136 does not look at the future in InitialLoad", () => {
    expect(good(withMeta('{"lastUpdated":"2999-01-01T00:00:00Z"}'), INITIAL).lastUpdated).toBeUndefined();
  });
  it.each([
    '{"resourceType":"Observation","id":"c049","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=urn:x|1"}}',
    '{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Observation","subject":{"reference":"Patient?a=b"}}]}',
    '{"resourceType":"Patient","id":"a","extension":[{"url":"u","valueReference":{"reference":"Patient?a=b"}}]}',
  ])("C-049 %s", (line) => {
    expect(good(line).resource).toEqual(JSON.parse(line));
    expect(bad(line, INITIAL)).toMatchObject({
      code: "not-supported",
      text: "Conditional reference is not supported for $import in InitialLoad.",
    });
  });
  it.each<[string, Record<string, number> | undefined]>([
    [
      '{"resourceType":"Observation","id":"a","subject":{"reference":"Patient/b"},"focus":[{"reference":"#c"}]}',
      undefined,
    ],
    [
      '{"resourceType":"Observation","id":"a","subject":{"reference":"Patient?identifier=urn:x|1"},"performer":[' +
        '{"reference":"http://x/fhir/Practitioner?a=b"},{"reference":"Practitioner?a"},{"reference":"Nothing?a"},' +
        '{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},{"reference":"urn:oid:1.2","type":"Patient"}]}',
      { "conditional Patient": 1, "conditional Practitioner": 2, conditional: 1, urn: 1, "urn Patient": 1 },
    ],
    [
      '{"resourceType":"Bundle","id":"a","entry":[{"resource":{"resourceType":"Patient","link":[{"other":{"reference":"urn:uuid:1"}}]}}]}',
      undefined,
    ],
  ])("references that lead nowhere are counted, by form and target type: %s", (line, expected) => {
    const { leftReferences } = good(line);
    expect(leftReferences && Object.fromEntries(leftReferences)).toEqual(expected);
  });
  it("C-049 means Reference.reference only", () => {
    expect(good('{"resourceType":"Patient","id":"a","implicitRules":"http://x?y"}', INITIAL).id).toBe("a");
  });
});

describe("soft delete (contract 5.6)", () => {
  it.each([
    ["C-110", `{"url":"${SOFT_DELETE_URL}","valueString":"soft-deleted"}`, true],
    ["C-122", `{"url":"${SOFT_DELETE_URL}","valueCode":"soft-deleted"}`, true],
    ["any text", `{"url":"${SOFT_DELETE_URL}","valueMarkdown":"soft-deleted"}`, true],
    ["C-121", `{"url":"${SOFT_DELETE_URL}","valueString":"deleted"}`, false],
    ["C-121", `{"url":"${SOFT_DELETE_URL}","valueString":"Soft-Deleted"}`, false],
    ["C-121", `{"url":"${SOFT_DELETE_URL.replace("http", "HTTP")}","valueString":"soft-deleted"}`, false],
    ["the id is no value", `{"url":"${SOFT_DELETE_URL}","id":"soft-deleted"}`, false],
  ])("%s %s", (_, extension, deleted) => {
    expect(good(marked(extension)).deleted).toBe(deleted);
    expect(good(marked(extension), INITIAL).deleted).toBe(deleted); // C-123
  });
  it("only counts on meta", () => {
    const line = `{"resourceType":"Patient","id":"a","extension":[{"url":"${SOFT_DELETE_URL}","valueString":"soft-deleted"}]}`;
    expect(good(line).deleted).toBe(false);
  });
});

describe("order: the first failure wins", () => {
  const declared: LineRules = { ...INCREMENTAL, declaredType: "Observation" };
  it("parse, id, conditional reference or future, declared type, SearchParameter", () => {
    const future = `"meta":{"lastUpdated":"${iso(NOW + 60_000)}"}`;
    const conditional = '"link":[{"other":{"reference":"Patient?a"}}]';
    expect(bad(`{"resourceType":"Patient","x":1,${future}}`, declared).text).toContain("Unknown element");
    expect(bad(`{"resourceType":"Patient",${future}}`, declared).text).toContain("Invalid resource id");
    expect(bad(`{"resourceType":"Patient",${conditional}}`, INITIAL).text).toContain("Invalid resource id");
    expect(bad(`{"resourceType":"Patient","id":"a",${future}}`, declared).text).toContain("future");
    expect(
      bad(`{"resourceType":"Patient","id":"a",${conditional}}`, { ...declared, mode: "InitialLoad" }).text,
    ).toContain("Conditional");
    expect(bad('{"resourceType":"SearchParameter","id":"a"}', declared).text).toBe("Resource type not match.");
  });
});

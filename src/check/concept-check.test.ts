import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../base/json.ts";
import { checkResource } from "./check-resource.ts";
import type { LineIssue } from "./issue.ts";

const SYSTEM = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const NEEDED = `the required value set condition-clinical (${SYSTEM}: active, recurrence, relapse, inactive, remission, resolved)`;

function textsOf(clinicalStatus: JsonValue, more: JsonObject = {}): string[] {
  const issues: LineIssue[] = [];
  checkResource({ resourceType: "Condition", clinicalStatus, ...more }, issues, 10);
  return issues.map(({ code, text }) => `${code} ${text}`);
}

describe("CodeableConcepts with a required binding (R4 terminologies.html#required)", () => {
  it.each<[string, JsonValue]>([
    ["a code of the value set", { coding: [{ system: SYSTEM, code: "active" }] }],
    [
      "beside others, with a text",
      {
        coding: [
          { system: "urn:x", code: "1" },
          { system: SYSTEM, code: "relapse" },
        ],
        text: "x",
      },
    ],
    ["nothing (C-015)", {}],
    ["what counts as absent", { coding: [{}, null], text: "" }],
    ["an extension that says why there is none", { extension: [{ url: "u", valueCode: "masked" }] }],
  ])("%s passes", (_, concept) => {
    expect(textsOf(concept)).toEqual([]);
  });

  it.each<[string, JsonValue, string]>([
    [
      "another code",
      { coding: [{ system: SYSTEM, code: "activ" }] },
      `code "activ" of "${SYSTEM}" is not in ${NEEDED}.`.replace(SYSTEM, `${SYSTEM.slice(0, 40)}…`),
    ],
    [
      "another system",
      { coding: [{ system: "urn:x", code: "active" }] },
      `code "active" of "urn:x" is not in ${NEEDED}.`,
    ],
    ["no system", { coding: [{ code: "active" }] }, `code "active" without a system is not in ${NEEDED}.`],
    ["no code", { coding: [{ system: SYSTEM }] }, `a coding without a code is not in ${NEEDED}.`],
    ["a text alone", { text: "active" }, `a text alone is not enough; a coding of ${NEEDED} is needed.`],
  ])("%s is refused", (_, concept, text) => {
    expect(textsOf(concept)).toEqual([`code-invalid Condition.clinicalStatus: ${text}`]);
  });

  it("what is no CodeableConcept is reported once", () => {
    expect(textsOf("active")).toEqual(["structure Condition.clinicalStatus: expected an object, found a string."]);
    expect(textsOf({ coding: [{ system: SYSTEM, code: "active", x: 1 }] })).toHaveLength(1);
  });

  it("other CodeableConcepts are not bound", () => {
    expect(textsOf({}, { code: { text: "x" }, severity: { coding: [{ code: "y" }] } })).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import type { JsonValue } from "../base/json.ts";
import { checkResource } from "./check-resource.ts";
import type { LineIssue } from "./issue.ts";

/** All issues as `code expression`. */
function issuesOf(resource: JsonValue | string): string[] {
  const issues: LineIssue[] = [];
  checkResource(typeof resource === "string" ? (JSON.parse(resource) as JsonValue) : resource, issues, 100);
  return issues.map(({ code, expression }) => `${code} ${expression}`);
}
const patient = (members: string): string => `{"resourceType":"Patient","id":"a",${members}}`;
const observation = (members: string): string => `{"resourceType":"Observation","id":"a",${members}}`;
const nested = (levels: number): string =>
  patient(`"extension":${'[{"url":"u","extension":'.repeat(levels)}[]${"}]".repeat(levels)}`);
const textOf = (text: string): string | undefined => {
  const issues: LineIssue[] = [];
  checkResource(JSON.parse(text) as JsonValue, issues, 1);
  return issues[0]?.text;
};

describe("legal FHIR JSON passes", () => {
  it.each([
    ["nothing required (C-014)", observation('"valueString":"x"')],
    ["null, empty string, empty object (C-015)", patient('"active":null,"language":"","name":[{}],"birthDate":""')],
    ["empty arrays and empty codes", patient('"name":[],"gender":"","contained":[{}],"meta":{}')],
    ["numeric versionId (C-016)", patient('"meta":{"versionId":4,"lastUpdated":"2023-10-27T04:00:00Z"}')],
    ["sibling of a primitive", patient('"birthDate":"2000-01-01","_birthDate":{"id":"x","extension":[{"url":"u"}]}')],
    ["sibling alone", patient('"_birthDate":{"extension":[{"url":"u","valueDateTime":"2000-01-01T00:00:00Z"}]}')],
    ["paired arrays", patient('"name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"u"}]}]}]')],
    ["sibling of the resource's id and of a choice", patient('"_id":{"id":"x"},"_deceasedBoolean":{"id":"x"}')],
    ["both halves of one choice", observation('"valueString":"x","_valueString":{"id":"x"}')],
    [
      "as long as they may be",
      patient(`"implicitRules":"${"a".repeat(8192)}","photo":[{"url":"data:,${"a".repeat(9000)}"}]`),
    ],
    ["two choices", patient('"deceasedBoolean":false,"multipleBirthInteger":2')],
    ["resourceType last", '{"id":"a","active":true,"resourceType":"Patient"}'],
    ["xhtml", patient('"text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">x</div>"}')],
    [
      "an id of the markup",
      patient(
        '"text":{"status":"generated","_div":{"id":"x"},"div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">x</div>"}',
      ),
    ],
    ["contained without id", patient('"contained":[{"resourceType":"Organization","name":"x"}]')],
    [
      "ids in contained and inner resources",
      patient('"contained":[{"resourceType":"Patient","id":"m1","meta":{"versionId":"v-1"}}]'),
    ],
    [
      "an empty id in a contained resource counts as absent",
      patient('"contained":[{"resourceType":"Patient","id":""}]'),
    ],
    ["ids of elements", patient('"name":[{"id":"a_b"}]')],
    ["any decimal", observation('"valueQuantity":{"value":1e30}')],
    ["lone surrogates and NUL", patient('"name":[{"family":"\\ud800\\u0000"}]')],
    ["time without zone (contract 10.3)", observation('"effectiveDateTime":"2012-03-14T09:26:53"')],
    ["Age, a Quantity by inheritance", '{"resourceType":"Condition","onsetAge":{"value":3,"unit":"a"}}'],
    [
      "content references",
      '{"resourceType":"Questionnaire","item":[{"linkId":"1","item":[{"linkId":"2","type":"group"}]}]}',
    ],
    [
      "a Bundle with resources (C-026)",
      '{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient"}}]}',
    ],
    [
      "Parameters",
      '{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Patient"}},{"valueDate":"2020"}]}',
    ],
  ])("%s", (_, text) => {
    expect(issuesOf(text)).toEqual([]);
  });
});

describe("illegal JSON is refused, with the element's path", () => {
  it.each([
    ["C-011", patient('"shoeSize":43'), "structure Patient.shoeSize"],
    ["C-012", patient('"gender":"robot"'), "code-invalid Patient.gender"],
    ["C-013", patient('"birthDate":"31/12/1999"'), "value Patient.birthDate"],
    ["inner code", patient('"contact":[{},{"gender":"Male"}]'), "code-invalid Patient.contact[1].gender"],
    ["array for one", patient('"gender":["male"]'), "structure Patient.gender"],
    ["one for array", patient('"name":{"family":"x"}'), "structure Patient.name"],
    ["array in an array", patient('"name":[[]]'), "structure Patient.name[0]"],
    ["string for object", patient('"maritalStatus":"M"'), "structure Patient.maritalStatus"],
    ["string for boolean", patient('"active":"true"'), "structure Patient.active"],
    ["number for string", patient('"name":[{"given":["a",1]}]'), "structure Patient.name[0].given[1]"],
    ["string for number", observation('"valueQuantity":{"value":"1.0"}'), "structure Observation.valueQuantity.value"],
    ["fraction for integer", observation('"valueInteger":1.5'), "value Observation.valueInteger"],
    ["zero for positiveInt", patient('"telecom":[{"rank":0}]'), "value Patient.telecom[0].rank"],
    ["30 February", patient('"birthDate":"2024-02-30"'), "value Patient.birthDate"],
    [
      "lastUpdated without zone",
      patient('"meta":{"lastUpdated":"2024-01-01T00:00:00"}'),
      "value Patient.meta.lastUpdated",
    ],
    ["fractional versionId", patient('"meta":{"versionId":1.5}'), "value Patient.meta.versionId"],
    ["versionId of another format", patient('"meta":{"versionId":"a b_c"}'), "value Patient.meta.versionId"],
    [
      "numeric versionId of a contained resource",
      patient('"contained":[{"resourceType":"Patient","meta":{"versionId":5}}]'),
      "structure Patient.contained[0].meta.versionId",
    ],
    [
      "numeric versionId in an extension",
      patient('"extension":[{"url":"u","valueMeta":{"versionId":5}}]'),
      "structure Patient.extension[0].valueMeta.versionId",
    ],
    [
      "versionId in a Bundle",
      '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","meta":{"versionId":5}}}]}',
      "structure Bundle.entry[0].resource.meta.versionId",
    ],
    [
      "id of a contained resource",
      patient('"contained":[{"resourceType":"Patient","id":"#m1"}]'),
      "value Patient.contained[0].id",
    ],
    [
      "id in a Bundle",
      '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"under_score"}}]}',
      "value Bundle.entry[0].resource.id",
    ],
    [
      "id in Parameters",
      `{"resourceType":"Parameters","parameter":[{"part":[{"name":"r","resource":{"resourceType":"Patient","id":"${"0".repeat(65)}"}}]}]}`,
      "value Parameters.parameter[0].part[0].resource.id",
    ],
    ["truncated base64", '{"resourceType":"Binary","data":"QUJDR"}', "value Binary.data"],
    [
      "truncated base64 within",
      '{"resourceType":"DocumentReference","content":[{"attachment":{"data":"QQ="}}]}',
      "value DocumentReference.content[0].attachment.data",
    ],
    ["boolean versionId", patient('"meta":{"versionId":true}'), "structure Patient.meta.versionId"],
    [
      "long code",
      patient(`"maritalStatus":{"coding":[{"code":"${"a".repeat(1001)}"}]}`),
      "too-long Patient.maritalStatus.coding[0].code",
    ],
    ["long uri", patient(`"implicitRules":"${"a".repeat(8193)}"`), "too-long Patient.implicitRules"],
    ["long url", patient(`"photo":[{"url":"http://${"a".repeat(8200)}"}]`), "too-long Patient.photo[0].url"],
    [
      "long reference",
      patient(`"managingOrganization":{"reference":"${"/_history/".repeat(20_000)}"}`),
      "too-long Patient.managingOrganization.reference",
    ],
    ["long date", patient(`"birthDate":"2000-01-01${"0".repeat(100)}"`), "too-long Patient.birthDate"],
    [
      "long dateTime",
      patient(`"name":[{"period":{"start":"2000-01-01T00:00:00.${"0".repeat(100)}Z"}}]`),
      "too-long Patient.name[0].period.start",
    ],
    ["fhir_comments", patient('"fhir_comments":["x"]'), "structure Patient.fhir_comments"],
    ["markup that is none", patient('"text":{"status":"generated","div":"<p>x</p>"}'), "structure Patient.text.div"],
    [
      "extension of the markup",
      patient('"text":{"_div":{"extension":[{"url":"u"}]}}'),
      "structure Patient.text._div.extension",
    ],
    ["list as id of the markup", patient('"text":{"_div":[{"id":"x"}]}'), "structure Patient.text._div"],
    [
      "concept of a required binding",
      '{"resourceType":"AllergyIntolerance","clinicalStatus":{"text":"active"}}',
      "code-invalid AllergyIntolerance.clinicalStatus",
    ],
    ["sibling that is no object", patient('"_birthDate":"x"'), "structure Patient._birthDate"],
    ["sibling with other members", patient('"_birthDate":{"value":"x"}'), "structure Patient._birthDate.value"],
    ["sibling of an array that is none", patient('"name":[{"_given":{"id":"x"}}]'), "structure Patient.name[0]._given"],
    ["sibling of an object", patient('"_maritalStatus":{}'), "structure Patient._maritalStatus"],
    ["contained of unknown type", patient('"contained":[{"resourceType":"X"}]'), "structure Patient.contained[0]"],
    ["contained without type", patient('"contained":[{"id":"x"}]'), "structure Patient.contained[0]"],
    [
      "contained content",
      patient('"contained":[{"resourceType":"Patient","gender":"robot"}]'),
      "code-invalid Patient.contained[0].gender",
    ],
    [
      "extension content",
      patient('"extension":[{"url":"u","extension":[{"url":"v","valueDate":"x"}]}]'),
      "value Patient.extension[0].extension[0].valueDate",
    ],
    ["choice of a foreign type", observation('"valueAddress":{}'), "structure Observation.valueAddress"],
    ["choice without type", observation('"value":{}'), "structure Observation.value"],
    ["two of a choice", observation('"valueString":"x","valueInteger":1'), "structure Observation.valueInteger"],
    [
      "two of a choice, by sibling",
      observation('"valueString":"x","_valueTime":{}'),
      "structure Observation._valueTime",
    ],
    ["resourceType of an element", patient('"name":[{"resourceType":"x"}]'), "structure Patient.name[0].resourceType"],
    ["__proto__", patient('"__proto__":{"active":true}'), "structure Patient.__proto__"],
    ["constructor", patient('"constructor":{}'), "structure Patient.constructor"],
    ["toString", patient('"toString":null'), "structure Patient.toString"],
    ["hasOwnProperty within", patient('"name":[{"hasOwnProperty":1}]'), "structure Patient.name[0].hasOwnProperty"],
  ])("%s", (_, text, expected) => {
    expect(issuesOf(text)).toEqual([expected]);
  });

  it.each([
    ["null", "null"],
    ["[]", "[]"],
    ["text", '"x"'],
    ["C-009", '{"id":"a"}'],
    ["C-010", '{"resourceType":"Spaceship","id":"a"}'],
    ["abstract type", '{"resourceType":"DomainResource","id":"a"}'],
    ["datatype", '{"resourceType":"HumanName","id":"a"}'],
    ["prototype name", '{"resourceType":"__proto__","id":"a"}'],
    ["no text", '{"resourceType":["Patient"],"id":"a"}'],
  ])("no resource: %s", (_, text) => {
    expect(issuesOf(text)).toHaveLength(1);
  });

  it("collects all issues, or stops at the limit", () => {
    const text = patient('"gender":"robot","shoeSize":1,"name":[{"use":"x"},{"use":"usual"},{"use":"y"}]');
    expect(issuesOf(text)).toEqual([
      "code-invalid Patient.gender",
      "structure Patient.shoeSize",
      "code-invalid Patient.name[0].use",
      "code-invalid Patient.name[2].use",
    ]);
    const issues: LineIssue[] = [];
    checkResource(JSON.parse(text) as JsonValue, issues, 2);
    expect(issues).toHaveLength(2);
  });

  it("ends at 128 levels of objects, however deep the text is", () => {
    expect(issuesOf(nested(127))).toEqual([]);
    expect(issuesOf(nested(128))).toHaveLength(1);
    expect(issuesOf(nested(100_000))).toHaveLength(1);
  });
});

describe("long texts", () => {
  it.each([
    ["a string", (text: string) => patient(`"name":[{"text":"${text}"}]`), "Patient.name[0].text"],
    ["a markdown", (text: string) => observation(`"note":[{"text":"${text}"}]`), "Observation.note[0].text"],
    [
      "a string in an extension",
      (text: string) => patient(`"extension":[{"url":"u","valueString":"${text}"}]`),
      "Patient.extension[0].valueString",
    ],
  ])("%s has at most 1,048,576 characters", (_, text, path) => {
    expect(issuesOf(text("x".repeat(1_048_576)))).toEqual([]);
    expect(issuesOf(text("x".repeat(1_048_577)))).toEqual([`too-long ${path}`]);
    expect(textOf(text("é".repeat(1_048_577)))).toBe(`${path}: a text of 1048577 characters; 1048576 are allowed.`);
  });
});

describe("texts", () => {
  it("say what is wrong, where, and what would be right", () => {
    expect(textOf(patient('"shoeSize":43'))).toBe('Unknown element "shoeSize" at Patient.shoeSize.');
    expect(textOf(observation('"value":1'))).toBe(
      'Unknown element "value" at Observation.value (its name carries its type: valueQuantity, valueCodeableConcept, valueString, valueBoolean, …).',
    );
    expect(textOf(patient('"gender":"robot"'))).toBe(
      'Patient.gender: code "robot" is not in the required value set administrative-gender (male, female, other, unknown).',
    );
    expect(textOf(patient('"birthDate":"31/12/1999"'))).toBe(
      'Patient.birthDate: "31/12/1999" is not a valid date: expected YYYY, YYYY-MM or YYYY-MM-DD.',
    );
    expect(textOf(patient('"active":"true"'))).toBe("Patient.active: expected true or false, found a string.");
    expect(textOf(patient('"name":{}'))).toBe("Patient.name: expected an array, found an object.");
    expect(textOf('{"resourceType":"Spaceship"}')).toBe('resourceType "Spaceship" is not a resource type of FHIR R4.');
  });
  it("show what nobody sees", () => {
    expect(textOf('{"resourceType":"\ufeffPatient"}')).toBe(
      'resourceType "\\ufeffPatient" is not a resource type of FHIR R4.',
    );
    expect(textOf(patient('"language":"\u00a0"'))).toBe(
      'Patient.language: "\\u00a0" is not a valid code: expected text without leading, trailing or doubled spaces.',
    );
  });
  it("are bounded, whatever the content", () => {
    const long = "x".repeat(1_000_000);
    expect(textOf(patient(`"${long}":1`))?.length).toBeLessThan(250);
    expect(textOf(patient(`"gender":"${long}"`))?.length).toBeLessThan(250);
    expect(textOf(`{"resourceType":"${long}"}`)?.length).toBeLessThan(250);
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withMeta } from "../../fhir/meta-bytes.ts";
import { shaped, type Shape } from "./shape.ts";

const RESOURCE =
  '{"resourceType":"Observation", "id":"a","text":{"status":"empty","div":"<div/>"},"status":"final","_status":{"id":"s"},' +
  '"code":{"text":"c"},"valueQuantity":{"value":1.500},"note":[{"text":"n"}]}';
const TAG = '{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}';

function membersOf(shape: Shape, text = RESOURCE): string[] {
  return Object.keys(JSON.parse(shaped(withMeta(Buffer.from(text), 1, 0), "Observation", shape).toString()));
}

describe("a shortened resource", () => {
  it.each<[Shape, string[]]>([
    ["true", ["resourceType", "id", "meta", "status", "_status", "code", "valueQuantity"]],
    ["text", ["resourceType", "id", "meta", "text", "status", "_status", "code"]],
    ["data", ["resourceType", "id", "meta", "status", "_status", "code", "valueQuantity", "note"]],
    [["value"], ["resourceType", "id", "meta", "status", "_status", "code", "valueQuantity"]],
    [["valueQuantity"], ["resourceType", "id", "meta", "status", "_status", "code", "valueQuantity"]],
    [
      ["note", "id"],
      ["resourceType", "id", "meta", "status", "_status", "code", "note"],
    ],
    [["val"], ["resourceType", "id", "meta", "status", "_status", "code"]],
  ])("%s keeps %j", (shape, expected) => {
    expect(membersOf(shape)).toEqual(expected);
  });

  it.each([
    ["", `"lastUpdated":"1970-01-01T00:00:00.000Z","tag":[${TAG}]`],
    ['"meta":{"tag":[]},', `"tag":[${TAG}]`],
    ['"meta":{"tag":[{"code":"a"} ]},', `"tag":[{"code":"a"},${TAG} ]`],
    ['"meta":{"profile":["p"]},', `"profile":["p"],"tag":[${TAG}]`],
  ])("with %s says so in its tags", (meta, expected) => {
    const text = RESOURCE.replace('"text"', `${meta}"text"`);
    expect(shaped(withMeta(Buffer.from(text), 1, 0), "Observation", "data").toString()).toContain(expected);
  });

  it("keeps the bytes of what stays, and all of them when nothing is left out", () => {
    expect(shaped(withMeta(Buffer.from(RESOURCE), 1, 0), "Observation", "true").toString()).toContain('"value":1.500');
    const whole = withMeta(Buffer.from('{"resourceType":"Observation","id":"a","status":"final"}'), 1, 0);
    expect(shaped(whole, "Observation", "true")).toEqual(whole);
  });

  it("is JSON whatever is left out", () => {
    const member = fc.tuple(fc.constantFrom("text", "note", "value", "status", "issued", "code"), fc.json());
    fc.assert(
      fc.property(
        fc.uniqueArray(member, { selector: ([name]) => name }),
        fc.constantFrom<Shape>("true", "text", ["note"]),
        (members, shape) => {
          const text = `{"resourceType":"Observation",${members.map(([name, value]) => `"${name}": ${value} ,`).join("")}"id":"a"}`;
          const kept = JSON.parse(shaped(withMeta(Buffer.from(text), 1, 0), "Observation", shape).toString());
          expect(kept).toHaveProperty("id", "a");
        },
      ),
    );
  });
});

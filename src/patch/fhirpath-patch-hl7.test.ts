import { describe, expect, it } from "vitest";
import {
  type Operation,
  apply,
  errorOf,
  patient,
  identified,
  move,
  identifier,
  named,
} from "./testing/fhirpath-patches.ts";

describe("FHIRPath Patch, the cases of HL7's tests", () => {
  it.each<[string, object, Operation[], object]>([
    ["no difference", patient({ birthDate: "1920-01-01" }), [], patient({ birthDate: "1920-01-01" })],
    [
      "replace a primitive",
      patient({ birthDate: "1920-01-01" }),
      [{ type: "replace", path: "Patient.birthDate", value: { valueDate: "1930-01-01" } }],
      patient({ birthDate: "1930-01-01" }),
    ],
    ["delete a primitive", patient({ birthDate: "1920" }), [{ type: "delete", path: "Patient.birthDate" }], patient()],
    [
      "add a primitive",
      patient(),
      [{ type: "add", path: "Patient", name: "birthDate", value: { valueDate: "1930-01-01" } }],
      patient({ birthDate: "1930-01-01" }),
    ],
    [
      "replace a nested primitive",
      named,
      [{ type: "replace", path: "Patient.contact[0].name.text", value: { valueString: "the name" } }],
      patient({ contact: [{ name: { text: "the name" }, gender: "male" }] }),
    ],
    [
      "delete a nested primitive",
      named,
      [{ type: "delete", path: "Patient.contact[0].gender" }],
      patient({ contact: [{ name: { text: "a name" } }] }),
    ],
    [
      "delete the last of an element: it goes, too",
      named,
      [{ type: "delete", path: "Patient.contact[0].name.text" }],
      patient({ contact: [{ gender: "male" }] }),
    ],
    [
      "add a nested primitive",
      patient({ contact: [{ name: { text: "a name" } }] }),
      [{ type: "add", path: "Patient.contact[0]", name: "gender", value: { valueCode: "male" } }],
      named,
    ],
    [
      "add a complex one",
      patient(),
      [{ type: "add", path: "Patient", name: "maritalStatus", value: { valueCodeableConcept: { text: "married" } } }],
      patient({ maritalStatus: { text: "married" } }),
    ],
    [
      "replace a complex one",
      patient({ maritalStatus: { id: "1", text: "married" } }),
      [{ type: "replace", path: "Patient.maritalStatus", value: { valueCodeableConcept: { id: "2", text: "not" } } }],
      patient({ maritalStatus: { id: "2", text: "not" } }),
    ],
    [
      "delete a complex one",
      patient({ maritalStatus: { text: "m" } }),
      [{ type: "delete", path: "Patient.maritalStatus" }],
      patient(),
    ],
    [
      "add an anonymous type",
      patient(),
      [
        {
          type: "add",
          path: "Patient",
          name: "contact",
          value: { part: [{ name: "name", valueHumanName: { text: "a name" } }] },
        },
      ],
      patient({ contact: [{ name: { text: "a name" } }] }),
    ],
    ["delete an anonymous type", named, [{ type: "delete", path: "Patient.contact[0]" }], patient()],
    [
      "change contents of a list",
      identified(1, 2),
      [
        { type: "replace", path: "Patient.identifier[0].value", value: { valueString: "2" } },
        { type: "replace", path: "Patient.identifier[1].value", value: { valueString: "1" } },
      ],
      identified(2, 1),
    ],
    [
      "insert at the end",
      identified(1, 2),
      [{ type: "insert", path: "Patient.identifier", index: 2, value: identifier(3) }],
      identified(1, 2, 3),
    ],
    [
      "insert inside",
      identified(1, 2),
      [{ type: "insert", path: "Patient.identifier", index: 1, value: identifier(3) }],
      identified(1, 3, 2),
    ],
    [
      "insert before",
      identified(1, 2),
      [{ type: "insert", path: "Patient.identifier", index: 0, value: identifier(3) }],
      identified(3, 1, 2),
    ],
    ["delete the first", identified(1, 2, 3), [{ type: "delete", path: "Patient.identifier[0]" }], identified(2, 3)],
    ["delete the last", identified(1, 2, 3), [{ type: "delete", path: "Patient.identifier[2]" }], identified(1, 2)],
    ["reorder 1", identified(1, 2, 3, 4), [move(3, 1)], identified(1, 4, 2, 3)],
    ["reorder 2", identified(1, 2, 3, 4), [move(3, 0)], identified(4, 1, 2, 3)],
    ["reorder 3", identified(1, 2, 3, 4), [move(3, 2)], identified(1, 2, 4, 3)],
    ["reorder 4", identified(1, 2, 3, 4), [move(0, 3)], identified(2, 3, 4, 1)],
    ["reorder 5", identified(1, 2, 3, 4), [move(1, 0), move(2, 1)], identified(2, 3, 1, 4)],
    ["reorder 6", identified(1, 2, 3, 4), [move(3, 0), move(3, 1), move(3, 2)], identified(4, 3, 2, 1)],
    [
      "add to a list that is not there",
      patient(),
      [{ type: "add", path: "Patient", name: "identifier", value: identifier(3) }],
      identified(3),
    ],
  ])("%s", async (_name, before, operations, after) => {
    expect(JSON.parse(await apply(before, ...operations))).toEqual(after);
  });

  it("operation on a missing element: 422", async () => {
    const official = patient({ identifier: [{ use: "official", value: "123" }] });
    const path = "Patient.identifier.where(use = 'official').period";
    const error = await errorOf(() =>
      apply(official, { type: "add", path, name: "end", value: { valueDate: "2021-12-01" } }),
    );
    expect(error.message).toBe(`Operation 1 (add ${path}): there is no element at this path.`);
    expect([error.status, error.issue, error.expression]).toEqual([422, "not-found", "Parameters.parameter[0]"]);
  });
});

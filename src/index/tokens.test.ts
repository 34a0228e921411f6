import { describe, expect, it } from "vitest";
import type { JsonValue } from "../base/json.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { createIndexer } from "./indexer.ts";
import { NOWHERE } from "./value-collector.ts";
import { number, numbers, parameterId, record, spelling } from "./testing/recorder.ts";

const METHOD = "Observation.method";

function method(value: JsonValue): ReturnType<typeof record> {
  return record({ resourceType: "Observation", method: value });
}

describe("tokens (contract 10.6)", () => {
  it("gives a coding with a system as code, system|code and system|", () => {
    expect(method({ coding: [{ system: "s1", code: "Red" }] })).toEqual({
      equality: numbers(
        number(METHOD, "present"),
        number(METHOD, "code", "Red"),
        number(METHOD, "systemCode", "s1|Red"),
        number(METHOD, "system", "s1"),
      ),
      rows: [spelling("s1", "Red")],
    });
  });

  it.each([
    [{ system: "s1", code: "1234-5" }],
    [{ code: "Red" }],
    [{ system: "s1", code: "R".repeat(61) }],
    [{ system: "s1" }],
  ])("gives no spelling of %j", (coding) => {
    expect(method({ coding: [coding] }).rows).toEqual([]);
  });

  it("gives a coding without a system as code and |code", () => {
    expect(method({ coding: [{ code: "blue" }] }).equality).toEqual(
      numbers(number(METHOD, "present"), number(METHOD, "code", "blue"), number(METHOD, "noSystemCode", "blue")),
    );
  });

  it("gives the texts of concept and codings as terms, each folded form once", () => {
    const warm = number(METHOD, "text", "warm");
    const warmish = number(METHOD, "text", "warmish");
    const id = parameterId(METHOD);
    const value = { coding: [{ display: "Warm" }, { display: "warm" }, { display: "Wärmish" }], text: "Warm" };
    expect(method(value)).toEqual({
      equality: numbers(number(METHOD, "present"), warm, warmish),
      rows: [`term ${id} ${warm} warm`, `term ${id} ${warmish} warmish`].toSorted(),
    });
  });

  it("hands out no number twice", () => {
    const coding = { system: "s", code: "c" };
    const concept = { coding: [coding, coding, { system: "s", code: "d" }] };
    const { equality } = record({ resourceType: "Observation", category: [concept, concept] });
    expect(equality).toHaveLength(new Set(equality).size);
    expect(equality).toHaveLength(6);
  });

  it("gives a code its implied system as well as none", () => {
    const system = "http://hl7.org/fhir/administrative-gender";
    expect(record({ resourceType: "Patient", gender: "male" }).equality).toEqual(
      expect.arrayContaining([
        number("Patient.gender", "code", "male"),
        number("Patient.gender", "noSystemCode", "male"),
        number("Patient.gender", "systemCode", `${system}|male`),
        number("Patient.gender", "system", system),
      ]),
    );
  });

  it("gives an identifier its value as code, and its type for :of-type", () => {
    const type = { coding: [{ system: "http://t", code: "MR" }, { code: "X" }], text: "Record" };
    const name = "Observation.identifier";
    expect(record({ resourceType: "Observation", identifier: [{ system: "http://i", value: "A|1", type }] })).toEqual({
      equality: numbers(
        number(name, "present"),
        number(name, "code", "A|1"),
        number(name, "systemCode", "http://i|A|1"),
        number(name, "system", "http://i"),
        number(name, "ofType", "http://t|MR|A|1"),
        number(name, "ofType", "|X|A|1"),
        number(name, "text", "record"),
      ),
      rows: [`term ${parameterId(name)} ${number(name, "text", "record")} record`],
    });
  });

  it("gives a contact point its value without regard to case, and chooses it by system for phone and email", () => {
    const { equality } = record({
      resourceType: "Practitioner",
      telecom: [{ system: "email", value: "Ann@b.example", use: "work" }],
    });
    expect(equality).toEqual(
      numbers(
        ...["Practitioner.telecom", "Practitioner.email"].flatMap((name) => [
          number(name, "present"),
          number(name, "caselessCode", "ann@b.example"),
        ]),
      ),
    );
  });

  it("gives a string one number, whatever its case", () => {
    const { equality } = record({ resourceType: "Medication", batch: { lotNumber: "AB12c" } });
    const name = "Medication.lot-number";
    expect(equality).toEqual(numbers(number(name, "present"), number(name, "caselessCode", "ab12c")));
  });

  it("gives a media type its code system, and a term", () => {
    const name = "DocumentReference.contenttype";
    const attachment = { contentType: "Image/PNG" };
    const { equality, rows } = record({ resourceType: "DocumentReference", content: [{ attachment }] });
    expect(equality).toEqual(
      numbers(
        number(name, "present"),
        number(name, "caselessCode", "image/png"),
        number(name, "systemCode", "urn:ietf:bcp:13|image/png"),
        number(name, "system", "urn:ietf:bcp:13"),
      ),
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatch(/^term -3 -?\d+ image\/png$/);
  });

  it.each([
    ["order", "http://hl7.org/fhir/request-intent", "http://hl7.org/fhir/task-intent"],
    ["unknown", "http://hl7.org/fhir/task-intent", "http://hl7.org/fhir/request-intent"],
  ])("gives the code %s the one of several code systems that has it", (intent, system, other) => {
    const { equality } = record({ resourceType: "Task", intent });
    expect(equality).toContain(number("Task.intent", "code", intent));
    expect(equality).toContain(number("Task.intent", "noSystemCode", intent));
    expect(equality).toContain(number("Task.intent", "systemCode", `${system}|${intent}`));
    expect(equality).toContain(number("Task.intent", "system", system));
    expect(equality).not.toContain(number("Task.intent", "system", other));
  });

  it.each([
    [{}, "false"],
    [{ deceasedBoolean: false }, "false"],
    [{ deceasedBoolean: true }, "true"],
    [{ deceasedDateTime: "2012" }, "true"],
  ])("says of a patient with %j that deceased is %s", (members, expected) => {
    const { equality } = record({ resourceType: "Patient", ...members });
    expect(equality).toContain(number("Patient.deceased", "code", expected));
    expect(equality).not.toContain(number("Patient.deceased", "code", expected === "true" ? "false" : "true"));
  });

  it("stays right when more codes come than the cache holds", () => {
    const coding = Array.from({ length: 90_000 }, (_, index) => ({ system: "s", code: `c${index % 45_000}` }));
    const { equality } = method({ coding });
    expect(equality).toHaveLength(2 + 2 * 45_000);
    expect(new Set(equality).size).toBe(equality.length);
  });
});

describe("terms of tokens that recur", () => {
  const observation = {
    resourceType: "Observation",
    method: { text: "Warm", coding: [{ system: "s1", code: "Red" }] },
  };

  /** How many terms are handed over for each of the resources, in these rounds; "full": to a sink that throws at a term. */
  function termsIn(rounds: readonly (number | undefined | "full")[]): number[] {
    const indexer = createIndexer();
    return rounds.map((round) => {
      let terms = 0;
      const term = (): void => {
        if (round === "full") throw new RangeError("full");
        terms++;
      };
      const sink = { ...NOWHERE, term, termRound: round === "full" ? 1 : round };
      const index = (): void => indexer.index(resourceTypeId("Observation") ?? 0, observation, sink);
      if (round === "full") expect(index).toThrow("full");
      else index();
      return terms;
    });
  }

  it.each<[string, (number | undefined | "full")[], number[]]>([
    ["once in a round", [1, 1, 2, 2, 1], [2, 0, 2, 0, 2]],
    ["each time where there are no rounds", [undefined, undefined, 1, undefined, 1], [2, 2, 2, 2, 2]],
    ["again when the sink did not take them", ["full", 1, 1], [0, 2, 0]],
  ])("are handed over %s", (_, rounds, expected) => {
    expect(termsIn(rounds)).toEqual(expected);
  });
});

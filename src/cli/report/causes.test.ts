import { assert, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { causeOf } from "../../import/report/cause-of.ts";
import { createCauseCounter, type RejectedSample } from "./causes.ts";

function sample(message: string, element?: string): RejectedSample {
  return { file: "Patient.ndjson", line: 1, byteOffset: 0, element, code: "value", message };
}

describe("the cause behind a message", () => {
  test.each([
    [
      'Patient.gender: code "robot" is not in the required value set administrative-gender (male, female).',
      'Patient.gender: code "…" is not in the required value set administrative-gender (male, female).',
    ],
    [
      "Invalid resource id: 'b_0'. Id must be ('A'..'Z') up to 64",
      "Invalid resource id: 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.' are allowed.",
    ],
    ["Invalid resource id: 'null or empty'. Id must be", "The resource has no id."],
    ['Unknown element "shoeSize" at Patient.shoeSize.', 'Unknown element "shoeSize" at Patient.shoeSize.'],
    [
      "Failed to import duplicate resource, resource id: 7-x.y, line: 13",
      "Failed to import duplicate resource, resource id: …, line: n",
    ],
    [
      "Invalid Json encountered. Details: the line ends inside an object, after 38 characters.",
      "Invalid Json encountered. Details: the line ends inside an object, after n characters.",
    ],
    ["Observation.component[12].value: expected a number", "Observation.component.value: expected a number"],
    ["the target Patient/0f8fad5b-d9cb-469f-a165-70867728950e is gone", "the target Patient/… is gone"],
    [
      "The file is a JSON array, not NDJSON: write each resource on its own line (jq -c '.[]').",
      "The file is a JSON array, not NDJSON: write each resource on its own line (jq -c '.[]').",
    ],
    ["version -17 is too small", "version n is too small"],
    ["at most 64 characters of 12345", "at most n characters of n"],
  ])("%s", (message, cause) => {
    expect(causeOf(message, undefined)).toBe(cause);
  });

  test("an element path that the message does not name comes first, without indexes", () => {
    expect(causeOf("expected a number", "Observation.component[3].value")).toBe(
      "Observation.component.value: expected a number",
    );
  });

  test("any message has a cause", () => {
    assert(property(string(), (message) => typeof causeOf(message, undefined) === "string"));
  });
});

describe("counting", () => {
  test("the most frequent first, each with its first line", () => {
    const counter = createCauseCounter();
    counter.add({ ...sample("a"), line: 5 });
    counter.add({ ...sample("b"), line: 6 });
    counter.add({ ...sample("b"), line: 7 });
    expect(counter.top(20)).toEqual({
      causes: [
        { text: "b", count: 2, sample: { ...sample("b"), line: 6 } },
        { text: "a", count: 1, sample: { ...sample("a"), line: 5 } },
      ],
      otherLines: 0,
    });
    expect(counter.top(1)).toMatchObject({ causes: [{ text: "b" }], otherLines: 1 });
  });

  test("memory is bounded: beyond a thousand causes lines are counted together", () => {
    const counter = createCauseCounter();
    for (let index = 0; index < 5000; index++) counter.add(sample(`cause ${word(index)}`));
    const { causes, otherLines } = counter.top(20);
    expect(causes).toHaveLength(20);
    expect(otherLines).toBe(4980);
  });
});

/** A different word for each number, of letters only. */
function word(index: number): string {
  return String(index).replaceAll(/\d/g, (digit) => "abcdefghij".charAt(Number(digit)));
}

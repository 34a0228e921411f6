import { array, assert, constantFrom, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../base/json.ts";
import { checkResource } from "./check-resource.ts";
import { maskedText } from "./integer-forms.ts";
import type { LineIssue } from "./issue.ts";

function textsOf(text: string): string[] {
  const issues: LineIssue[] = [];
  checkResource(JSON.parse(text) as JsonValue, issues, 100, text);
  return issues.map((issue) => issue.text);
}

const claim = (items: string): string => `{"resourceType":"Claim","id":"a","item":[${items}]}`;
const WHOLE = "expected a whole number from 1 to 2147483647.";

describe("integers are written without fraction and exponent (R4 datatypes.html#integer)", () => {
  it.each([
    [
      '{"resourceType":"Patient","multipleBirthInteger":1.0}',
      "Patient.multipleBirthInteger: 1.0 is not a valid integer",
    ],
    ['{"resourceType":"Patient","multipleBirthInteger" : 1e0}', "Patient.multipleBirthInteger: 1e0 is not"],
    ['{"resourceType":"Patient","multipleBirthInteger":-0.0}', "Patient.multipleBirthInteger: -0.0 is not"],
    [claim('{"sequence":1E1}'), `Claim.item[0].sequence: 1E1 is not a valid positiveInt: ${WHOLE}`],
    [
      claim('{"sequence":1,"diagnosisSequence":[1,\\t2.0]}'.replace("\\t", "\t")),
      "Claim.item[0].diagnosisSequence[1]: 2.0 is",
    ],
    [claim('{"sequence":1},{"sequence":2e0},{"sequence":3}'), "Claim.item[1].sequence: 2e0 is"],
    [
      '{"resourceType":"Patient","extension":[{"url":"u","valueInteger":1.00}]}',
      "Patient.extension[0].valueInteger: 1.00 is",
    ],
    ['{"resourceType":"Patient","meta":{"versionId":4.0}}', "Patient.meta.versionId: 4.0 is not a version"],
    // where the place is not certain, the literal is not shown
    ['{"resourceType":"Patient","multipleBirthInt\\u0065ger":1.0}', "Patient.multipleBirthInteger: 0.5 is not"],
    [claim('{"diagnosisSequence":[null,2.0]}'), "Claim.item[0].diagnosisSequence[1]: 0.5 is not"],
    [`{"resourceType":"Patient","multipleBirthInteger":1.${"0".repeat(1000)}}`, "Patient.multipleBirthInteger: 1.0"],
  ])("%s", (text, expected) => {
    const [issue = "", ...others] = textsOf(text);
    expect(issue.slice(0, expected.length)).toBe(expected);
    expect(issue.length).toBeLessThan(200);
    expect(others).toEqual([]);
  });

  it.each([
    '{"resourceType":"Patient","multipleBirthInteger":1}',
    '{"resourceType":"Patient","multipleBirthInteger":-0}',
    '{"resourceType":"Patient","name":[{"text":"\\"multipleBirthInteger\\":1.0"}],"multipleBirthInteger":2}',
    '{"resourceType":"Patient","meta":{"versionId":4},"multipleBirthInteger":2}',
    claim('{"sequence":1,"factor":1.0,"net":{"value":1e2},"diagnosisSequence":[ 1 , 2 ]}'),
    claim('{"sequence":1,"factor":1.0,"diagnosisSequence":[null,1]}'),
    '{"resourceType":"Claim","contained":[{"resourceType":"Patient","multipleBirthInteger":3}],"item":[{"sequence":1}]}',
  ])("%s passes", (text) => {
    expect(textsOf(text)).toEqual([]);
  });

  it("whatever the form, an integer passes if and only if it is one", () => {
    const whole = constantFrom("1", "2", "17", "2147483647");
    const literal = constantFrom("1", "2", "17", "1.0", "1e0", "10E-1", "2.5e1");
    const item = record({ sequence: literal, factor: literal, list: array(literal, { maxLength: 3 }), note: whole });
    assert(
      property(array(item, { minLength: 1, maxLength: 4 }), (items) => {
        const text = claim(
          items
            .map(({ sequence, factor, list, note }) => {
              const numbers = `"factor":${factor}, "sequence": ${sequence},"diagnosisSequence":[ ${list.join(" , ")}]`;
              return `{${numbers},"programCode":[{"text":"\\"sequence\\": ${note}.0"}]}`;
            })
            .join(","),
        );
        const odd = items
          .flatMap(({ sequence, list }) => [sequence, ...list])
          .filter((number) => !/^\d+$/.test(number));
        expect(textsOf(text)).toHaveLength(odd.length);
      }),
    );
  });
});

describe("maskedText", () => {
  it.each([
    ['{"a":1,"b":"1.0 \\" 1.0","c":[-1,0]}', undefined],
    ['{"a":1.0,"b":-1e5 ,"c":["1.0"]}', '{"a":0.5,"b":0.5  ,"c":["1.0"]}'],
    ['{"ä":1E2}', '{"ä":0.5}'],
    ["1.50", "0.5 "],
  ])("%s", (text, masked) => {
    expect(maskedText(text)).toBe(masked);
  });
});

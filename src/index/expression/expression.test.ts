import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import { SEARCH_PARAMETERS } from "../../fhir/search-parameters.ts";
import { readElements } from "./elements.ts";
import { ExpressionError, parseExpression } from "./parse.ts";
import { selectFrom, type Step } from "./select.ts";
import { searchable, searchableOfOpen } from "./tree.ts";

const elements = readElements();

function stepText({ name, where, first, truth }: Step & { truth?: readonly string[] }): string {
  return name ?? (where === undefined ? (first === true ? "[0]" : `{${String(truth)}}`) : `{${where.join("=")}}`);
}

function pathsOf(type: string, expression: string): string[] {
  return selectFrom(elements, type, expression).map(({ steps, type: found }) =>
    [...steps.map(stepText), found].join(" "),
  );
}

describe("an expression selects", () => {
  it.each<[string, string, string[]]>([
    ["Patient", "Patient.name.given", ["name given string"]],
    ["Patient", "Patient.contact.organization", ["contact organization Reference"]],
    ["Patient", "(Patient.deceased as boolean)", ["deceasedBoolean boolean"]],
    [
      "Patient",
      "Patient.extension.where(url='http://x').value.as(Coding)",
      ["extension {url=http://x} valueCoding Coding"],
    ],
    ["Patient", "Patient.extension.where(url = 'u').value as Coding", ["extension {url=u} valueCoding Coding"]],
    ["Patient", "Patient.extension('u').value.ofType(Coding).code", ["extension {url=u} valueCoding code code"]],
    ["Patient", "Patient.name.extension('u').value.ofType(Period)", ["name extension {url=u} valuePeriod Period"]],
    [
      "Patient",
      "Patient.extension.where(url='a').extension.where(url='b').value.ofType(boolean)",
      ["extension {url=a} extension {url=b} valueBoolean boolean"],
    ],
    ["Observation", "Observation.component.value.ofType(Quantity)", ["component valueQuantity Quantity"]],
    ["Observation", "Observation.component.referenceRange.low", ["component referenceRange low Quantity"]],
    ["Questionnaire", "Questionnaire.item.item.linkId", ["item item linkId string"]],
    ["Patient", "DomainResource.extension('it\\'s').url", ["extension {url=it's} url uri"]],
    ["Bundle", "Bundle.entry[0].fullUrl", ["entry [0] fullUrl uri"]],
  ])("%s: %s", (type, expression, paths) => {
    expect(pathsOf(type, expression)).toEqual(paths);
  });

  it("of a choice that is left open, all types that have the next element", () => {
    const codes = pathsOf("Patient", "Patient.extension('race').extension.value.code");
    expect(codes).toContain("extension {url=race} extension valueCoding code code");
    expect(codes.every((path) => path.includes(" code "))).toBe(true);
  });

  it("and what cannot be searched of an open choice is left out", () => {
    const open = selectFrom(elements, "Patient", "Patient.extension('x').value");
    const types = searchableOfOpen("date", open, "here").map(({ type }) => type);
    expect(types.toSorted((a, b) => a.localeCompare(b, "en"))).toEqual([
      "date",
      "dateTime",
      "instant",
      "Period",
      "Timing",
    ]);
    const texts = selectFrom(elements, "Patient", "Patient.extension('x').value.ofType(string)");
    expect(searchableOfOpen("token", texts, "here").map(({ type }) => type)).not.toContain("markdown");
  });
});

describe("refused with the part that is not understood", () => {
  it.each([
    ["Patient.nickname", "no element nickname"],
    ["Patient.deceasedBoolean", "no element deceasedBoolean"],
    ["Patient.name.first()", "first()"],
    ["Patient.name.where(use != 'old')", "use != 'old'"],
    ["Patient.name.where(given='x')", "no text element given"],
    ["Patient.contact.where(name.family='x')", "name.family = 'x'"],
    ["Patient.name.where(period.exists())", "period.exists()"],
    ["Patient.active.where(active = true)", "not a comparison with a text"],
    ["Patient.name[1]", "[0]"],
    ["Patient.contact.telecom[0]", "[0]"],
    ["Patient.name.where(use='usual')[0]", "[0]"],
    ["Patient.name = 'x'", "Patient.name = 'x'"],
    ["'x'", "'x'"],
    ["Patient.active and Patient.name.exists()", "and"],
    ["Patient.extension(url)", "extension(url)"],
    ["Patient.name + 1", "+ 1"],
    ["Patient.name.", "expected a name"],
    ["(Patient.name", "expected )"],
    ["Patient.name)", "unexpected )"],
    ["", "expected a name"],
    ["Patient.name.where(use='\\n')", "\\n"],
    [`${"(".repeat(100)}Patient.name${")".repeat(100)}`, "too many parentheses"],
    [`Patient.name${" ".repeat(5000)}`, "at most"],
  ])("%s", (expression, part) => {
    expect(() => selectFrom(elements, "Patient", expression)).toThrow(ExpressionError);
    expect(() => selectFrom(elements, "Patient", expression)).toThrow(part);
  });
});

describe("the elements of the product", () => {
  it("lead from every expression of R4 to elements that its parameter can search", () => {
    for (const { type, base, code, expression } of SEARCH_PARAMETERS) {
      if (expression === "" || type === "special" || type === "composite" || code === "_id") continue;
      for (const each of base.filter((name) => RESOURCE_TYPES.includes(name))) {
        const selected = selectFrom(elements, each, expression);
        expect(searchable(type, selected, `${each}.${code}`), `${each}.${code}`).not.toEqual([]);
      }
    }
  });
});

it("parsing ends, with a result or an ExpressionError, whatever the text", () => {
  const part = fc.constantFrom(
    "Patient",
    ".",
    "name",
    "(",
    ")",
    "where",
    "=",
    "'x'",
    "|",
    "as",
    "[0]",
    "and",
    " ",
    "é",
    "%a",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part).map((parts) => parts.join("")),
      ),
      (text) => {
        try {
          parseExpression(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ExpressionError);
        }
      },
    ),
  );
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldText, meets, parseWords } from "./words.ts";

function found(words: string, text: string): boolean {
  return meets(foldText(text), parseWords(words, "_content"));
}

describe("words", () => {
  it.each([
    ["lung", "The lung is clear", true],
    ["lun", "The lung is clear", true],
    ["ung", "The lung is clear", false],
    ["clear lung", "The lung is clear", true],
    ["clear liver", "The lung is clear", false],
    ["LUNG", "The lung", true],
    ["café", "CAFE", true],
    ["cafe", "Cafe\u0301", true],
    ["hara", "O'Hara", true],
    ["8302-2", "8302-2", true],
    ["8302-2", "8302 and -2", false],
    ["302-2", "8302-2", false],
    ["(procedure)", "check up (procedure)", true],
    ["http://loinc.org", "http://loinc.org", true],
    ["loinc", "http://loinc.org", true],
    ["+5", "a+5", true],
    ["𝒳", "a𝒳", false],
    ["b", "𝒳b", false],
    ["heart failure", "failure\nof the heart", true],
    ["hypertension", "hyper\u00adtension", true],
    ['"lung cancer"', "Lung  cancer", true],
    ['"lung cancer"', "lung and cancer", false],
    ['"lung cancer"', "lung cancers", false],
    ['"lung cancer"', "along, lung cancer.", true],
    ['"lung cancer"', "oblung cancer", false],
    ['"lung cancer" left', "left lung cancer", true],
    ['"and"', "sand", false],
    ['"and"', "this and that", true],
    ["(bone OR liver) and metastases", "liver metastases", true],
    ["(bone OR liver) and metastases", "liver", false],
    ["bone or liver metastases", "bone", true],
    ["bone or liver metastases", "liver", false],
    ["liver NOT bone", "liver", true],
    ["liver NOT bone", "liver, bone", false],
    ["liver not bone", "liver, not bone", true],
    ["NOT (bone or liver)", "lung", true],
    ["NOT NOT lung", "lung", true],
  ])("%s in %s: %s", (words, text, expected) => {
    expect(found(words, text)).toBe(expected);
  });

  it.each([
    "",
    " ",
    '"',
    '""',
    'lung "cancer',
    "(",
    ")",
    "()",
    "(lung",
    "lung)",
    "and",
    "lung and",
    "or lung",
    "lung or",
    "NOT",
    "\u0301",
    "(".repeat(101),
    "a ".repeat(101),
  ])("%s is refused", (words) => {
    expect(() => parseWords(words, "_content")).toThrow(/_content/);
  });

  it("are found wherever they begin a word, whatever is around them", () => {
    const word = fc.stringMatching(/^[a-zäöüßéñ0-9]{1,8}$/u).filter((text) => !/^(?:and|or)$/.test(text));
    const between = fc.stringMatching(/^[ .,;:()\n-]{1,4}$/);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(word, between), { minLength: 1, maxLength: 20 }),
        fc.nat(),
        fc.nat(),
        (parts, at, length) => {
          const text = parts.flat().join("");
          const [chosen = ""] = parts[at % parts.length] ?? [];
          expect(found(chosen.slice(0, 1 + (length % chosen.length)), text)).toBe(true);
          expect(found(`"${chosen}"`, text)).toBe(true);
          const words = parts.map(([each]) => foldText(each));
          expect(found("xx", text)).toBe(words.some((each) => each.startsWith("xx")));
        },
      ),
    );
  });
});

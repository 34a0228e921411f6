/**
 * The forms in which texts are compared. What R4 says of strings (search, 3.1.1.4.8): the search ignores case, accents,
 * punctuation and white space that is not significant.
 */

/**
 * Lower case without accents. Letters that differ in lower case only are the same (`ß` and `ss`, the two small sigmas), and so
 * are letters with a stroke and ligatures and the plain letters that they stand for (`ł` and `l`, `æ` and `ae`).
 */
export function foldLetters(value: string): string {
  if (ASCII.test(value)) return value.toLowerCase();
  const plain = value.normalize("NFKD").replace(COMBINING_MARKS, "");
  const cased = plain.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
  return cased.replace(OTHER_LETTERS, plainLetters).normalize("NFC");
}

/**
 * What a string search compares (contract 10.5): {@link foldLetters} without apostrophes, with one space for other
 * punctuation and for white space, and none at the ends. A text of nothing but punctuation keeps it.
 */
export function foldString(value: string): string {
  const letters = withoutApostrophes(foldLetters(withoutApostrophes(value)));
  if (WORDS.test(letters)) return letters;
  const words = letters.replace(SEPARATORS, " ").trim();
  return words === "" ? foldLetters(value) : words;
}

/**
 * The other form of a text with punctuation inside of words: `maryann` of `Mary-Ann`, beside {@link foldString}'s `mary ann`.
 * Undefined where there is none, or the text is longer than {@link LONGEST_PART}.
 */
export function joinedString(value: string): string | undefined {
  if (value.length > LONGEST_PART || !INNER_PUNCTUATION.test(value)) return undefined;
  const letters = withoutApostrophes(foldLetters(withoutApostrophes(value))).replace(PUNCTUATION, "");
  const joined = letters.replace(SEPARATORS, " ").trim();
  return joined === "" || joined === foldString(value) ? undefined : joined;
}

/**
 * The ends of a family name that begin with its later parts, folded: `der berg` and `berg` of `van der Berg`, `quinones` of
 * `Carreño-Quiñones`. Parts are separated by white space and hyphens. None for a text longer than {@link LONGEST_PART}.
 */
export function laterParts(family: string): string[] {
  if (family.length > LONGEST_PART || !BETWEEN_PARTS.test(family)) return [];
  const parts = family.split(BETWEEN_PARTS).filter((part) => part !== "");
  const ends = parts.slice(1, MOST_PARTS).map((_, index) => foldString(parts.slice(index + 1).join(" ")));
  return ends.filter((end) => end !== "");
}

/** Characters of a text that has forms beside {@link foldString}'s. */
export const LONGEST_PART = 128;
const MOST_PARTS = 8;

/** A code whose case does not matter: accents and punctuation do. */
export function foldCode(code: string): string {
  if (ASCII.test(code)) return code.toLowerCase();
  return code.normalize("NFC").toLowerCase().toUpperCase().toLowerCase();
}

function withoutApostrophes(value: string): string {
  return HAS_APOSTROPHE.test(value) ? value.replace(APOSTROPHES, "") : value;
}

function plainLetters(letter: string): string {
  return LETTERS.get(letter) ?? letter;
}

const ASCII = /^[\x20-\x7e]*$/;
const COMBINING_MARKS = /\p{M}+/gu;
const WORDS = /^[a-z0-9]+(?: [a-z0-9]+)*$/;
/** White space, punctuation, and what says where a word may be broken or joined. */
const SEPARATORS = /[\s\p{P}\u00ad\u200b-\u200d\u2060\ufeff]+/gu;
const PUNCTUATION = /\p{P}+/gu;
const INNER_PUNCTUATION = /\S\p{P}\S/u;
const BETWEEN_PARTS = /[\s\p{Pd}]+/u;
const HAS_APOSTROPHE = /['`´ʹʻʼʽˈ‘’‛′＇]/;
const APOSTROPHES = new RegExp(HAS_APOSTROPHE.source, "g");

/** Lower-case letters that are no plain ones with an accent, by the plain letters that are written for them. */
const LETTERS: ReadonlyMap<string, string> = new Map(
  [
    ["a", "ⱥ"],
    ["ae", "æ"],
    ["b", "ƀɓƃ"],
    ["c", "ȼƈ"],
    ["d", "đðɖɗƌ"],
    ["e", "əɇ"],
    ["f", "ƒ"],
    ["g", "ǥɠ"],
    ["h", "ħ"],
    ["i", "ıɨ"],
    ["j", "ɉȷ"],
    ["k", "ĸƙ"],
    ["l", "łƚɫ"],
    ["n", "ŋɲƞ"],
    ["o", "øɵ"],
    ["oe", "œ"],
    ["p", "ƥ"],
    ["r", "ɍ"],
    ["t", "ŧⱦƭʈ"],
    ["th", "þ"],
    ["u", "ʉ"],
    ["v", "ʋ"],
    ["y", "ɏƴ"],
    ["z", "ƶȥ"],
  ].flatMap(([plain = "", others = ""]) => Array.from(others, (letter) => [letter, plain] as const)),
);
const OTHER_LETTERS = new RegExp(`[${[...LETTERS.keys()].join("")}]`, "g");

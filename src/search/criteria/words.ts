import { foldLetters } from "../../fhir/fold-text.ts";
import { malformed } from "./value-context.ts";

/** What is asked of a text: `_text` and `_content`. */
export type WordTest =
  /** The text has a word that begins so; or, a phrase, it has these whole words one after another. */
  | { kind: "word" | "phrase"; text: string }
  | { kind: "and" | "or"; tests: readonly WordTest[] }
  | { kind: "not"; test: WordTest };

/**
 * Reads words of which all must be there: `bone metastases`. `"lung cancer"` is a phrase; `and`, `or`, `NOT` and parentheses
 * join them: `(bone or liver) and metastases` (R4 search, 3.1.1.4.8). Throws `bad-request`, naming the parameter, when there is no
 * word, a quotation mark or a parenthesis without its other one, or too much.
 */
export function parseWords(text: string, name: string): WordTest {
  const tokens = tokensOf(text, name);
  let at = 0;

  function disjunction(): WordTest {
    const tests = [conjunction()];
    while (tokens[at] === "or") {
      at++;
      tests.push(conjunction());
    }
    return one("or", tests);
  }

  function conjunction(): WordTest {
    const tests = [negation()];
    for (let token = tokens[at]; token !== undefined && token !== "or" && token !== ")"; token = tokens[at]) {
      if (token === "and") at++;
      tests.push(negation());
    }
    return one("and", tests);
  }

  function negation(): WordTest {
    const token = tokens[at++];
    if (token === "not") return { kind: "not", test: negation() };
    if (token === "(") {
      const inner = disjunction();
      if (tokens[at++] !== ")") throw malformed({ name }, "a parenthesis is not closed");
      return inner;
    }
    if (token === undefined || typeof token === "string") throw malformed({ name }, "a word is missing");
    return token;
  }

  const test = disjunction();
  if (at < tokens.length) throw malformed({ name }, "a parenthesis is not opened");
  return test;
}

/** Words, phrases and what joins them, in one parameter. */
const MAX_TOKENS = 100;

type Token = WordTest | "(" | ")" | "and" | "or" | "not";

function tokensOf(text: string, name: string): Token[] {
  const tokens: Token[] = [];
  for (const [part, phrase] of text.matchAll(/"([^"]*)"|[()]|[^\s"()]+|"/gu)) {
    if (part === '"') {
      throw malformed({ name }, "unbalanced quotation mark (a comma within a phrase is written '\\,')");
    }
    if (tokens.length === MAX_TOKENS) throw malformed({ name }, `more than ${MAX_TOKENS} words`);
    const join = phrase === undefined ? JOINS.get(part) : undefined;
    if (join !== undefined) {
      tokens.push(join);
      continue;
    }
    const folded = foldText(phrase ?? part);
    if (folded === "") throw malformed({ name }, "a word is missing");
    tokens.push({ kind: phrase === undefined ? "word" : "phrase", text: folded });
  }
  return tokens;
}

const JOINS: ReadonlyMap<string, Token & string> = new Map([
  ["(", "("],
  [")", ")"],
  ["and", "and"],
  ["AND", "and"],
  ["or", "or"],
  ["OR", "or"],
  ["NOT", "not"],
]);

function one(kind: "and" | "or", tests: readonly WordTest[]): WordTest {
  return tests.length === 1 && tests[0] !== undefined ? tests[0] : { kind, tests };
}

/** How many words and phrases are asked for. */
export function wordCount(test: WordTest): number {
  if (test.kind === "not") return wordCount(test.test);
  if ("text" in test) return 1;
  return test.tests.reduce((sum, each) => sum + wordCount(each), 0);
}

/** The form in which texts are compared: as strings are (case, accents), every white space one space. */
export function foldText(text: string): string {
  const plain = IS_SPACED.test(text) ? text.replaceAll(INVISIBLE, "").replaceAll(/\s+/gu, " ").trim() : text;
  return foldLetters(plain);
}

const IS_SPACED = /[^\S ]|\s\s|^\s|\s$|[\u00ad\u200b-\u200d\u2060]/u;
/** They say where a word may be broken or joined, and are no part of it. */
const INVISIBLE = /[\u00ad\u200b\u2060]|\u200c|\u200d/gu;

/** Whether a text, as {@link foldText} gives it, passes the test. */
export function meets(text: string, test: WordTest): boolean {
  switch (test.kind) {
    case "and":
      return test.tests.every((each) => meets(text, each));
    case "or":
      return test.tests.some((each) => meets(text, each));
    case "not":
      return !meets(text, test.test);
    default:
      return occurs(text, test.text, test.kind === "phrase");
  }
}

function occurs(text: string, wanted: string, isWhole: boolean): boolean {
  const beginsWord = BEGINS_WORD.test(wanted);
  const endsWord = isWhole && ENDS_WORD.test(wanted);
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const end = at + wanted.length;
    const isInside = beginsWord && ENDS_WORD.test(text.slice(Math.max(0, at - 2), at));
    if (!isInside && !(endsWord && BEGINS_WORD.test(text.slice(end, end + 2)))) return true;
  }
  return false;
}

/** Words are made of letters and digits. */
const BEGINS_WORD = /^[\p{L}\p{N}]/u;
const ENDS_WORD = /[\p{L}\p{N}]$/u;

import { namedCharacter } from "./issue.ts";

/**
 * Says what is wrong with a text that `JSON.parse` refused, and where. V8's own message differs between Node versions
 * and quotes the content, which must not get into logs; this one shows a single character of it at most.
 *
 * Runs on refused lines only. One pass with a stack of brackets, so neither size nor depth is a danger.
 */
export function describeJsonError(text: string): string {
  const open: string[] = [];
  /** What the grammar allows next. */
  let next: "value" | "value or ]" | "name" | "name or }" | "colon" | "comma" | "end" = "value";
  let at = 0;
  for (;;) {
    while (isSpace(text.charCodeAt(at))) at++;
    const char = text[at];
    if (char === undefined) break;
    const inside = open.at(-1);
    if (next === "colon") {
      if (char !== ":") return unexpected(text, at, '":"');
      next = "value";
      at++;
    } else if (next === "comma") {
      if (char === ",") next = inside === "{" ? "name" : "value";
      else if (char === (inside === "{" ? "}" : "]")) next = close(open);
      else return unexpected(text, at, inside === "{" ? '"," or "}"' : '"," or "]"');
      at++;
    } else if (next === "name" || next === "name or }") {
      if (char === "}" && next === "name or }") {
        next = close(open);
        at++;
      } else {
        if (char !== '"') return unexpected(text, at, "a member name in double quotes");
        const end = stringEnd(text, at);
        if (typeof end === "string") return end;
        at = end;
        next = "colon";
      }
    } else if (next === "end") {
      if (char === "\ufeff") return unexpected(text, at, "the end of the line");
      return `unexpected text after the end of the resource at character ${at + 1}`;
    } else if (char === "]" && next === "value or ]") {
      next = close(open);
      at++;
    } else if (char === "{" || char === "[") {
      open.push(char);
      next = char === "{" ? "name or }" : "value or ]";
      at++;
    } else {
      const end = char === '"' ? stringEnd(text, at) : scalarEnd(text, at);
      if (typeof end === "string") return end;
      at = end;
      next = open.length === 0 ? "end" : "comma";
    }
  }
  if (text.trim() === "") return "the line is empty";
  const inside = open.at(-1);
  if (inside === undefined) return "not a JSON value";
  return `the line ends inside ${inside === "{" ? "an object" : "an array"}, after ${text.length} characters`;
}

function close(open: string[]): "comma" | "end" {
  open.pop();
  return open.length === 0 ? "end" : "comma";
}

/** Where the string that begins at `at` ends, or what is wrong with it. */
function stringEnd(text: string, at: number): number | string {
  for (let index = at + 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 34) return index + 1;
    if (code < 32) return `control character in a string at character ${index + 1} (it must be escaped)`;
    if (code !== 92) continue;
    ESCAPE.lastIndex = index;
    const escape = ESCAPE.exec(text)?.[0];
    if (escape === undefined && index + 6 > text.length) break;
    if (escape === undefined) return `bad escape sequence in a string at character ${index + 1}`;
    index += escape.length - 1;
  }
  return `the string that begins at character ${at + 1} does not end`;
}

/** Where the number, `true`, `false` or `null` at `at` ends, or that there is none. */
function scalarEnd(text: string, at: number): number | string {
  SCALAR.lastIndex = at;
  const scalar = SCALAR.exec(text)?.[0];
  return scalar === undefined ? unexpected(text, at, "a value") : at + scalar.length;
}

function unexpected(text: string, at: number, expected: string): string {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return `unexpected ${namedCharacter(char)} at character ${at + 1}, expected ${expected}`;
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9 || code === 10 || code === 13;
}

/* Sticky: matched at lastIndex, which is set before every use. */
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;

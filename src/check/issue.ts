/** What is wrong with a line or a resource. */
export interface LineIssue {
  kind: "issue";
  /** FHIR issue code: `structure`, `value`, `code-invalid`, `not-supported`, `invalid`. */
  code: string;
  text: string;
  /** Path of the element it is about, where there is one: `Patient.contact[1].gender`. */
  expression: string | undefined;
  /** Id of the resource's type, where a line got so far that it is known. */
  typeId?: number;
}

/** Makes a {@link LineIssue}. */
export function lineIssue(code: string, text: string, expression?: string): LineIssue {
  return { kind: "issue", code, text, expression };
}

/** A piece of the input for a message: quoted, what nobody sees escaped, at most 40 characters of it. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value).replaceAll(UNSEEN, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** A character for a message: quoted, or by its number when nobody would see it. */
export function namedCharacter(char: string): string {
  if (char === "\ufeff") return "byte order mark (U+FEFF)";
  const code = char.codePointAt(0) ?? 0;
  const isSeen = char.replaceAll(UNSEEN, "") !== "" && code > 32 && code !== 127;
  return isSeen ? JSON.stringify(char) : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** White space other than the space, and characters without width: the byte order mark, no-break spaces and so on. */
const UNSEEN = /[\u007f-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/g;

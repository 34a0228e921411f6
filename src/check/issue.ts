/** What is wrong with a line or a resource. */
export interface LineIssue {
  kind: "issue";
  /** FHIR issue code: `structure`, `value`, `code-invalid`, `not-supported`, `invalid`. */
  code: string;
  text: string;
  /** Path of the element it is about, where there is one: `Patient.contact[1].gender`. */
  expression: string | undefined;
}

/** Makes a {@link LineIssue}. */
export function lineIssue(code: string, text: string, expression?: string): LineIssue {
  return { kind: "issue", code, text, expression };
}

/** A piece of the input for a message: quoted, control characters escaped, at most 40 characters of it. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}

import type { Answer, Json } from "./write-server.ts";

/** An entry of a Bundle that is sent. */
export interface TestEntry {
  fullUrl?: string;
  resource?: unknown;
  request: Record<string, string>;
}

/** A Bundle of these entries. */
export function bundle(type: string, ...entry: TestEntry[]): Json {
  return { resourceType: "Bundle", type, entry };
}

/** The statuses of the entries of an answer. */
export function statuses({ body }: Answer): string[] {
  return body.entry.map((entry: Json) => entry.response.status);
}

/** A patient. */
export function patient(id?: string, more: object = {}): Record<string, unknown> {
  return { resourceType: "Patient", ...(id === undefined ? {} : { id }), ...more };
}

/** An observation of this subject. */
export function observation(subject: string, more: object = {}): Record<string, unknown> {
  return {
    resourceType: "Observation",
    status: "final",
    code: { text: "x" },
    subject: { reference: subject },
    ...more,
  };
}

/** The request of an entry that creates. */
export const post: (url: string, more?: Record<string, string>) => Record<string, string> = (
  url: string,
  more: Record<string, string> = {},
): Record<string, string> => ({
  method: "POST",
  url,
  ...more,
});
/** The request of an entry that updates. */
export const put: (url: string, more?: Record<string, string>) => Record<string, string> = (
  url: string,
  more: Record<string, string> = {},
): Record<string, string> => ({
  method: "PUT",
  url,
  ...more,
});

import type { JsonObject } from "../../base/json.ts";
import { unindexed, type Unindexed } from "../../index/expression/definition.ts";
import { DEFINING_TYPE } from "./define-parameters.ts";

/** Something to say of a resource that was stored, as an issue of an OperationOutcome. */
export type StoredNote = {
  severity: Unindexed["severity"];
  code: string;
  diagnostics: string;
  expression: string[];
};

/** What there is to say of a resource that was stored, by its bytes: that nothing is indexed by a SearchParameter. */
export function storedNotes(type: string, body: Buffer | undefined): StoredNote[] {
  if (type !== DEFINING_TYPE || body === undefined) return [];
  return notesOf(JSON.parse(body.toString("utf8")) as JsonObject);
}

/** {@link storedNotes} of a resource that is parsed. */
export function notesOf(resource: JsonObject): StoredNote[] {
  const why = resource["resourceType"] === DEFINING_TYPE ? unindexed(resource) : undefined;
  if (why === undefined) return [];
  const { severity, expression, text } = why;
  const code = severity === "warning" ? "not-supported" : "informational";
  return [{ severity, code, diagnostics: `${expression}: ${text}`, expression: [expression] }];
}

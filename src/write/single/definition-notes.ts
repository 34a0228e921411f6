import type { JsonObject } from "../../base/json.ts";
import type { SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { concreteTypes } from "../../fhir/search-parameters.ts";
import { takenCode, unindexed, type Unindexed } from "../../index/expression/definition.ts";
import { DEFINING_TYPE } from "./define-parameters.ts";
import type { WrittenResource } from "./write-request.ts";

/** Something to say of a resource that was stored, as an issue of an OperationOutcome. */
export type StoredNote = {
  severity: Unindexed["severity"];
  code: string;
  diagnostics: string;
  expression: string[];
};

/** What there is to say of a resource that was stored: that nothing is indexed by a SearchParameter. */
export function storedNotes(written: Pick<WrittenResource, "type" | "body" | "unindexed">): StoredNote[] {
  const { type, body } = written;
  if (type !== DEFINING_TYPE || body === undefined) return [];
  return noteOf(unindexed(JSON.parse(body.toString("utf8")) as JsonObject) ?? written.unindexed);
}

/** {@link storedNotes} of a resource that is not stored, beside the search parameters that are defined; `id`: its own. */
export function notesOf(resource: JsonObject, id: string | undefined, known: SearchParameterLookup): StoredNote[] {
  if (resource["resourceType"] !== DEFINING_TYPE) return [];
  return noteOf(unindexed(resource) ?? codeTaken(resource, id, known));
}

function codeTaken(resource: JsonObject, id: string | undefined, known: SearchParameterLookup): Unindexed | undefined {
  const { status, code, base } = resource;
  if (status === "retired" || typeof code !== "string" || !Array.isArray(base)) return undefined;
  for (const type of base.flatMap((each) => (typeof each === "string" ? concreteTypes(each) : []))) {
    const owner = known.definedBy(type, code.trim());
    if (owner !== undefined && owner.resourceId !== id) return takenCode(type, code.trim(), owner.resourceId);
  }
  return undefined;
}

function noteOf(why: Unindexed | undefined): StoredNote[] {
  if (why === undefined) return [];
  const { severity, expression, text } = why;
  const code = severity === "warning" ? "not-supported" : "informational";
  return [{ severity, code, diagnostics: `${expression}: ${text}`, expression: [expression] }];
}

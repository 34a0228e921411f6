import type { JsonObject, JsonValue } from "../base/json.ts";
import { describeExcess, jsonExcess, SHORT_TEXT } from "../fhir/json-limits.ts";
import { instantMilliseconds } from "../fhir/primitives.ts";
import { resourceTypeName } from "../fhir/resource-types.ts";
import { isSoftDeleted } from "../fhir/soft-delete.ts";
import { checkResource, type ResourceFacts } from "./check-resource.ts";
import { lineIssue, type LineIssue } from "./issue.ts";
import { describeJsonError } from "./json-error.ts";

/** What the import says about its lines. */
export interface LineRules {
  mode: "InitialLoad" | "IncrementalLoad";
  /** The `type` of the input, which every line must have. */
  declaredType: string | undefined;
  /** The present, in milliseconds since 1970. */
  now: number;
}

/** A line that may be loaded. */
export interface CheckedResource {
  kind: "resource";
  typeId: number;
  type: string;
  id: string;
  /** The version to keep: only beside a {@link CheckedResource.lastUpdated}, and never in InitialLoad. */
  versionId: number | undefined;
  /** Milliseconds since 1970, the fraction truncated; undefined in InitialLoad. */
  lastUpdated: number | undefined;
  /** Whether the text has a `meta.versionId` or `meta.lastUpdated`, used or not: they are no part of the content. */
  hasMetaVersion: boolean;
  /** Whether it carries the soft-delete marker (contract 5.6). */
  deleted: boolean;
  /** Whether there may be something in it that counts as absent (C-015). */
  hasEmpty: boolean;
  /** References that lead nowhere, by form and target type (left-references.ts); undefined when there are none. */
  leftReferences: ReadonlyMap<string, number> | undefined;
  resource: JsonObject;
}

/**
 * A line of NDJSON → a resource, or the first thing that is wrong with it, in the order of contract 5.1: parse, id,
 * conditional reference, future date, version, soft-delete marker, declared type, SearchParameter.
 */
export function checkLine(text: string, rules: LineRules): CheckedResource | LineIssue {
  // A short line cannot take much memory; whether it has too many levels is told by its check, which costs nothing.
  const early = text.length > SHORT_TEXT ? excessIssue(text) : undefined;
  if (early !== undefined) return early;
  let resource: JsonValue;
  try {
    resource = JSON.parse(text) as JsonValue;
  } catch {
    return (
      excessIssue(text) ?? lineIssue("structure", `Invalid Json encountered. Details: ${describeJsonError(text)}.`)
    );
  }
  const issues: LineIssue[] = [];
  const facts = checkResource(resource, issues, 1, text);
  const [issue] = issues;
  const late = issue !== undefined || facts.isDeep ? excessIssue(text) : undefined;
  if (late !== undefined) return late;
  const result = issue ?? checkRules(resource as JsonObject, facts, rules);
  if (result.kind === "issue") result.typeId = facts.typeId;
  return result;
}

/** What the line has too much of, as JSON. */
function excessIssue(text: string): LineIssue | undefined {
  const excess = jsonExcess(text);
  if (excess === undefined) return undefined;
  return lineIssue("too-long", `Invalid Json encountered. Details: the line ${describeExcess(excess)}.`);
}

/** The rules behind the parsing, for a resource whose structure is sound. */
function checkRules(
  resource: JsonObject,
  { typeId, conditionalReference, leftReferences, hasEmpty }: ResourceFacts,
  rules: LineRules,
): CheckedResource | LineIssue {
  const type = resourceTypeName(typeId);
  const id = resource["id"];
  if (typeof id !== "string" || !ID.test(id)) return lineIssue("value", idProblem(id), `${type}.id`);
  if (rules.mode === "InitialLoad" && conditionalReference) {
    return lineIssue("not-supported", "Conditional reference is not supported for $import in InitialLoad.");
  }
  const meta = metaOf(resource);
  const writtenVersion = meta?.["versionId"];
  const writtenDate = meta?.["lastUpdated"];
  let lastUpdated: number | undefined;
  let versionId: number | undefined;
  if (rules.mode === "IncrementalLoad") {
    lastUpdated = typeof writtenDate === "string" ? instantMilliseconds(writtenDate) : undefined;
    if (lastUpdated !== undefined) {
      if (lastUpdated > rules.now + FUTURE_TOLERANCE) {
        const text = "LastUpdated in the resource cannot be in the future.";
        return lineIssue("value", text, `${type}.meta.lastUpdated`);
      }
      versionId = versionOf(writtenVersion);
    }
  }
  const deleted = isSoftDeleted(meta);
  if (rules.declaredType !== undefined && rules.declaredType !== type) {
    return lineIssue("invalid", "Resource type not match.");
  }
  if (type === "SearchParameter") {
    return lineIssue("not-supported", "SearchParameter resources cannot be processed by import.");
  }
  const hasMetaVersion = writtenVersion !== undefined || writtenDate !== undefined;
  return {
    kind: "resource",
    typeId,
    type,
    id,
    versionId,
    lastUpdated,
    hasMetaVersion,
    deleted,
    hasEmpty,
    leftReferences,
    resource,
  };
}

/** Milliseconds that a lastUpdated may lie ahead of this machine's clock (contract 5.3). */
const FUTURE_TOLERANCE = 10_000;
const ID = /^[A-Za-z0-9\-.]{1,64}$/;

function idProblem(id: JsonValue | undefined): string {
  // The text of contract 5.2; an id is shown in full as far as one may be long, the rest of a longer one cut off.
  const shown = typeof id !== "string" || id === "" ? "null or empty" : id.length > 256 ? `${id.slice(0, 256)}…` : id;
  return (
    `Invalid resource id: '${shown}'. Id must be any combination of upper or lower case ASCII letters ` +
    "('A'..'Z', and 'a'..'z'), numerals ('0'..'9'), '-' and '.', with a length limit of 64 characters. " +
    "(This might be an integer, an un-prefixed OID, UUID, or any other identifier pattern that meets these constraints.)"
  );
}

function metaOf(resource: JsonObject): JsonObject | undefined {
  const meta = resource["meta"];
  return typeof meta === "object" && meta !== null && !Array.isArray(meta) ? meta : undefined;
}

/** A 32-bit integer, written as a number or as text; anything else is no version (contract C-016, C-047). */
function versionOf(written: JsonValue | undefined): number | undefined {
  const value = typeof written === "string" && /^\s*[+-]?[0-9]{1,20}\s*$/.test(written) ? Number(written) : written;
  if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
  return value >= -2147483648 && value <= 2147483647 ? value + 0 : undefined;
}

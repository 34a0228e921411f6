import { isUtf8 } from "node:buffer";
import { StokerError } from "../../base/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../base/json.ts";
import { checkResource } from "../../check/check-resource.ts";
import { lineIssue, type LineIssue } from "../../check/issue.ts";
import { describeJsonError } from "../../check/json-error.ts";
import { describeExcess, jsonExcess } from "../../fhir/json-limits.ts";
import { checkParsed } from "./checked-body.ts";

/** The JSON of a text, or what is wrong with it. */
export type ParsedText = { value: JsonValue } | { issue: LineIssue };

/** What a resource is checked for, beside its structure. */
export interface ValidationTarget {
  /** The type it must have. */
  type: string;
  /** The id it must have; undefined: any, or none. */
  id: string | undefined;
}

/** What was found. */
export interface Validation {
  issues: LineIssue[];
  /** Whether there are as many issues as were asked for, so that there may be more. */
  isCut: boolean;
  /** What `meta.profile` names: nothing is checked against it. */
  profiles: string[];
}

/** Reads JSON to be validated. What is wrong is said with line and column, both from 1. */
export function parseText(bytes: Buffer): ParsedText {
  if (!isUtf8(bytes)) return { issue: lineIssue("structure", "The body is not valid UTF-8.") };
  const text = bytes.toString();
  const excess = jsonExcess(text);
  if (excess !== undefined) return { issue: lineIssue("too-long", `The body ${describeExcess(excess)}.`) };
  try {
    return { value: JSON.parse(text) as JsonValue };
  } catch {
    const details = describeJsonError(text).replace(/^the line /, "the text ");
    const at = /\bcharacter (\d+)/.exec(details)?.[1];
    const place = at === undefined ? "" : ` (${placeOf(text, Number(at) - 1)})`;
    return { issue: lineIssue("structure", `Invalid Json encountered. Details: ${details}${place}.`) };
  }
}

/**
 * All problems of a resource, at most `limit`: those of its structure, and those for which a create or update of it would be
 * refused. `text` is what it was parsed from.
 */
export function validate(
  value: JsonValue,
  text: string | undefined,
  target: ValidationTarget,
  limit: number,
): Validation {
  const issues: LineIssue[] = [];
  checkResource(value, issues, limit, text);
  const isCut = issues.length >= limit;
  if (!isObject(value)) return { issues, isCut, profiles: [] };
  const { resourceType, id, meta } = value;
  if (typeof resourceType === "string" && resourceType !== target.type && issues.length < limit) {
    const text = `The resource is a ${resourceType.slice(0, 64)}, and the URL says ${target.type}.`;
    issues.push(lineIssue("invalid", text, "resourceType"));
  }
  if (target.id !== undefined && id !== target.id && issues.length < limit) {
    const found = typeof id === "string" && id !== "" ? "another id" : "no id";
    const text = `The resource has ${found}, and the URL says ${target.type}/${target.id}.`;
    issues.push(lineIssue("value", text, `${target.type}.id`));
  }
  if (issues.length === 0) issues.push(...writeProblems(value));
  const profiles = isObject(meta) && Array.isArray(meta["profile"]) ? meta["profile"] : [];
  return { issues, isCut, profiles: profiles.filter((profile) => typeof profile === "string") };
}

/** Why a write would be refused although the structure is sound. */
function writeProblems(resource: JsonObject): LineIssue[] {
  try {
    checkParsed(resource, Buffer.alloc(0), "");
    return [];
  } catch (error) {
    if (error instanceof StokerError) return [lineIssue(error.issue, error.message, error.expression)];
    throw error;
  }
}

function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return `line ${line}, column ${offset - before.lastIndexOf("\n")}`;
}

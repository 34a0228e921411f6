import { isAscii, isUtf8 } from "node:buffer";
import { StokerError } from "../../base/errors.ts";
import { ownTurnFor } from "../../base/own-turn.ts";
import type { JsonObject, JsonValue } from "../../base/json.ts";
import { checkResource } from "../../check/check-resource.ts";
import { lineIssue, type LineIssue } from "../../check/issue.ts";
import { describeJsonError } from "../../check/json-error.ts";
import { parseBoundedJson } from "../../fhir/json-limits.ts";
import { membersAt, spliced, type Splice } from "../../fhir/json-bytes.ts";
import { resourceTypeName } from "../../fhir/resource-types.ts";
import { isSoftDeleted } from "../../fhir/soft-delete.ts";
import { repeatedMember } from "../../fhir/repeated-members.ts";
import { withoutEmpty } from "../../fhir/without-empty.ts";
import { readDefinition } from "../../index/expression/definition.ts";

/** A resource that passed the same structural check as a line of an import. */
export interface CheckedBody {
  type: string;
  typeId: number;
  id: string | undefined;
  /** Whether there is a `meta.versionId` or `meta.lastUpdated`: they are no part of the content. */
  hasMetaVersion: boolean;
  resource: JsonObject;
  /** The bytes that are stored, and their text. */
  bytes: Buffer;
  text: string;
}

/** The JSON of a request's body. Throws `bad-request` when it is not UTF-8, not JSON, or too much (`fhir/json-limits.ts`). */
export function parseBody(bytes: Buffer): { text: string; value: JsonValue } {
  const ascii = isAscii(bytes);
  if (!ascii && !isUtf8(bytes)) throw invalid("structure", "The body is not valid UTF-8.");
  const text = bytes.toString(ascii ? "latin1" : "utf8");
  try {
    return { text, value: parseBoundedJson(text) };
  } catch (error) {
    if (error instanceof StokerError) throw error;
    throw invalid("structure", `Invalid Json encountered. Details: ${describeJsonError(text)}.`);
  }
}

/**
 * Checks a body that is one resource of the type `type`; a large one in pieces, between which others have their turn. Rejects with
 * `bad-request` and the element it is about.
 */
export async function checkBody(bytes: Buffer, type: string): Promise<CheckedBody> {
  await ownTurnFor(bytes.length);
  const { text, value } = parseBody(bytes);
  await ownTurnFor(bytes.length);
  const body = checkParsed(value, bytes, text);
  if (body.type !== type) {
    throw invalid("invalid", `The body is a ${body.type}, and the URL says ${type}.`, "resourceType");
  }
  await ownTurnFor(bytes.length);
  refuseRepeated(value, bytes);
  return body;
}

/** Throws `bad-request` when a member comes twice in an object of a body: only the last was checked. */
export function refuseRepeated(value: JsonValue, bytes: Buffer): void {
  const issue = repeatedIssue(value, bytes);
  if (issue !== undefined) throw invalid(issue.code, issue.text, issue.expression);
}

/** The problem that a member comes twice in an object; undefined when none does. */
export function repeatedIssue(value: JsonValue, bytes: Buffer): LineIssue | undefined {
  const path = repeatedMember(bytes, value)?.slice(0, 500);
  if (path === undefined) return undefined;
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const type = isObject ? value["resourceType"] : undefined;
  const expression = typeof type === "string" ? `${type.slice(0, 64)}.${path}` : path;
  return lineIssue("structure", `${expression}: occurs more than once in the same object.`, expression);
}

/**
 * {@link checkBody} of a resource that is parsed already, of any type; `bytes` and `text` are its own. What counts as absent is
 * left out, as it is of a line (C-015).
 */
export function checkParsed(value: JsonValue, bytes: Buffer, text: string): CheckedBody {
  const issues: LineIssue[] = [];
  const { typeId, hasEmpty } = checkResource(value, issues, 1, text === "" ? undefined : text);
  const [issue] = issues;
  if (issue !== undefined) throw invalid(issue.code, issue.text, issue.expression);
  const content = hasEmpty && bytes.length > 0 ? withoutEmpty(bytes, value as JsonObject) : bytes;
  if (content !== bytes) {
    const shorter = parseBody(content);
    return checkParsed(shorter.value, content, shorter.text);
  }
  const resource = value as JsonObject;
  const type = resourceTypeName(typeId);
  if (type === "SearchParameter") readDefinition(resource);
  const written = resource["id"];
  const id = typeof written === "string" && written !== "" ? written : undefined;
  if (id !== undefined) checkId(id, `${type}.id`);
  const meta = resource["meta"];
  const isMeta = typeof meta === "object" && meta !== null && !Array.isArray(meta);
  if (isMeta && isSoftDeleted(meta)) {
    const text = "Use DELETE to delete a resource; the deletion marker is for imports only.";
    throw invalid("invalid", text, `${type}.meta.extension`);
  }
  const hasMetaVersion = isMeta && (meta["versionId"] !== undefined || meta["lastUpdated"] !== undefined);
  return { type, typeId, id, hasMetaVersion, resource, bytes, text };
}

/** Throws `bad-request` unless this is an id as FHIR has them. */
export function checkId(id: string, expression?: string): void {
  if (ID.test(id)) return;
  throw invalid("value", "An id has 1 to 64 characters of A to Z, a to z, 0 to 9, '-' and '.'.", expression);
}

const ID = /^[A-Za-z0-9\-.]{1,64}$/;

/** The body with this id, all other bytes untouched. */
export function withId(body: CheckedBody, id: string): CheckedBody & { id: string } {
  if (body.id === id) return { ...body, id };
  const by = Buffer.from(`"${id}"`);
  const members = membersAt(body.bytes, 0);
  const splices: Splice[] = members
    .filter((member) => member.name === "id")
    .map((member) => ({ start: member.valueStart, end: member.end, by }));
  if (splices.length === 0) {
    const end = members.findLast((member) => member.name === "resourceType")?.end ?? 0;
    splices.push({ start: end, end, by: Buffer.from(`,"id":"${id}"`) });
  }
  // The text is for finding how numbers are written: an id more or less makes no difference.
  return { ...body, id, resource: { ...body.resource, id }, bytes: spliced(body.bytes, splices) };
}

/** The body with strings replaced; the positions are those of its bytes. */
export function withSplices<Body extends CheckedBody>(body: Body, splices: readonly Splice[]): Body {
  if (splices.length === 0) return body;
  const bytes = spliced(body.bytes, splices);
  const { text, value } = parseBody(bytes);
  return { ...body, bytes, text, resource: value as JsonObject };
}

function invalid(issue: string, text: string, expression?: string): StokerError {
  return new StokerError("bad-request", text, { issue, ...(expression === undefined ? {} : { expression }) });
}

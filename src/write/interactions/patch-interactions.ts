import type { ClientBase } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { JsonValue } from "../../base/json.ts";
import { ownTurnFor } from "../../base/own-turn.ts";
import { withMeta } from "../../fhir/meta-bytes.ts";
import {
  checkBody,
  checkId,
  checkParsed,
  parseBody,
  refuseRepeated,
  type CheckedBody,
} from "../check-body/checked-body.ts";
import { StalePlan, type PutChange } from "../single/write-request.ts";
import { fhirPathPatch, jsonPatch, mergePatch, patched, type Patch } from "../../patch/patch.ts";
import { readBodies } from "../../store/resources/body.ts";
import { readCurrent } from "../../store/resources/read.ts";
import {
  conditional,
  isStill,
  preconditionOf,
  type ConditionContext,
  type Interaction,
  type Preconditions,
  type WriteContext,
} from "./interactions.ts";

/** Media types of patches that are no FHIR resources, with what reads them: JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386). */
const READERS: ReadonlyMap<string, (bytes: Buffer) => Patch> = new Map([
  ["application/json-patch+json", jsonPatch],
  ["application/merge-patch+json", mergePatch],
]);

/** The names of these media types. */
export const JSON_PATCHES: readonly string[] = [...READERS.keys()];

/** What patching needs beside the search settings. */
export type PatchContext = ConditionContext & Pick<WriteContext, "blocks">;

/** A change by a patch: also the body that was patched. */
export interface PatchedChange extends PutChange {
  readonly before: Buffer;
}

/** A patch with its size, as it came. */
export interface ReadPatch {
  readonly patch: Patch;
  /** Bytes. */
  readonly bytes: number;
}

/** Reads a patch of one of the {@link JSON_PATCHES} from a body; undefined for another media type. Throws `bad-request`. */
export function readJsonPatchBody(mediaType: string, bytes: Buffer): ReadPatch | undefined {
  const read = READERS.get(mediaType);
  if (read === undefined) return undefined;
  refuseRepeated(parseBody(bytes).value, bytes);
  return { patch: read(bytes), bytes: bytes.length };
}

/** Reads a FHIRPath Patch from a body, a `Parameters` resource. Rejects with `bad-request`. */
export async function readFhirPathPatchBody(bytes: Buffer): Promise<ReadPatch> {
  if (Array.isArray(parseBody(bytes).value)) {
    const text = `A FHIRPath Patch is a Parameters resource; a JSON Patch is sent as ${JSON_PATCHES[0]}.`;
    throw new StokerError("bad-request", text, { issue: "structure" });
  }
  return readCheckedParameters(await checkBody(bytes, "Parameters"));
}

/** Reads a FHIRPath Patch from a `Parameters` resource that was checked. Throws `bad-request`. */
export function readCheckedParameters({ type, bytes }: CheckedBody): ReadPatch {
  if (type === "Parameters") return { patch: fhirPathPatch(bytes), bytes: bytes.length };
  throw new StokerError("bad-request", `A patch must be a Parameters resource or a Binary, not a ${type}.`);
}

/**
 * patch (http://hl7.org/fhir/R4/http.html#patch): the current version is read, patched and checked like an update; when another
 * one was written meanwhile, this is done again. Patches of one resource wait for one another.
 */
export function patchInteraction(
  context: PatchContext,
  type: string,
  id: string,
  { patch, bytes }: ReadPatch,
  on: Preconditions,
): Interaction {
  checkId(id);
  return {
    bytes: bytes + TYPICAL_BYTES,
    locks: [`${type}/${id}`],
    plan: async (client) => [await changeOf(client, context, type, id, patch, on)],
  };
}

/** Conditional patch of the one match: 404 when there is none. */
export function conditionalPatchInteraction(
  context: PatchContext,
  type: string,
  criteria: string,
  { patch, bytes }: ReadPatch,
  on: Preconditions,
): Interaction {
  return conditional(context, type, criteria, bytes + TYPICAL_BYTES, async (match, client) => {
    if (match === undefined) throw new StokerError("not-found", `No ${type} matches the condition.`);
    return await changeOf(client, context, type, match.id, patch, on, match.versionId);
  });
}

/** Of the resource that is to be patched, only its name is known when a request is queued. */
const TYPICAL_BYTES = 32 * 1024;

async function changeOf(
  client: ClientBase,
  context: PatchContext,
  type: string,
  id: string,
  patch: Patch,
  on: Preconditions,
  matched?: number,
): Promise<PatchedChange> {
  const current = await readCurrent(client, type, id);
  if (matched !== undefined && current?.versionId !== matched) throw new StalePlan();
  const reference = `${type}/${id}`;
  if (current === undefined) throw new StokerError("not-found", `Resource ${reference} is not known.`);
  const { versionId, lastUpdated } = current;
  if (current.deleted) throw new StokerError("gone", `Resource ${reference} was deleted in version ${versionId}.`);
  // After 404 and 410, before 422: preconditions are for requests that would succeed (RFC 9110, 13.2.1).
  preconditionOf(on, reference).check?.(current);
  const [body] = await readBodies(client, context.blocks, [current.place]);
  if (body === undefined || !body.includes("{")) throw new StalePlan(); // erased between the two
  // Clients patch what they have read: with the version and its date.
  const before = withMeta(body, versionId, lastUpdated);
  await ownTurnFor(before.length);
  const bytes = await patched(before, patch);
  await ownTurnFor(bytes.length);
  const after = checkPatched(bytes, type, id);
  return { kind: "put", body: after, before, check: isStill(versionId) };
}

/** The checks of an update. What they refuse is the patch's fault: 422. */
function checkPatched(bytes: Buffer, type: string, id: string): CheckedBody & { id: string } {
  let body: CheckedBody;
  try {
    const { text, value } = parseBody(bytes);
    if (isOfAnotherType(value, type)) {
      throw new StokerError("unprocessable", "A patch cannot change the type of a resource.", {
        expression: "resourceType",
      });
    }
    body = checkParsed(value, bytes, text);
  } catch (error) {
    if (!(error instanceof StokerError) || error.code === "unprocessable") throw error;
    const { issue, expression } = error;
    throw new StokerError("unprocessable", `The patch makes the resource invalid: ${error.message}`, {
      issue,
      ...(expression === undefined ? {} : { expression }),
    });
  }
  if (body.id === id) return { ...body, id };
  throw new StokerError("unprocessable", "A patch cannot change the id of a resource.", { expression: `${type}.id` });
}

function isOfAnotherType(value: JsonValue, type: string): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { resourceType } = value;
  return typeof resourceType === "string" && resourceType !== type;
}

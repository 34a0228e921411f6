import { malformedPatch } from "./failure.ts";
import { bytesOf, changeMembers, childrenOf, isDeeperThan, kindOf, nodeOf, type JsonNode } from "./json-document.ts";
import { MAX_PATCH_LEVELS } from "./limits.ts";

/** A JSON Merge Patch (RFC 7386) that was read: an object, in its bytes. */
export interface MergePatch {
  readonly bytes: Buffer;
}

/** Reads a JSON Merge Patch from bytes that `JSON.parse` accepts. Throws `bad-request` for what is none of a resource. */
export function readMergePatch(bytes: Buffer): MergePatch {
  if (isDeeperThan(bytes, MAX_PATCH_LEVELS))
    throw malformedPatch(`A JSON Merge Patch may have at most ${MAX_PATCH_LEVELS} levels.`);
  const root = nodeOf(bytes);
  if (kindOf(root) !== "object") throw malformedPatch("A JSON Merge Patch of a resource is an object.");
  return { bytes: root.bytes };
}

/**
 * Merges the patch into the bytes of a resource (RFC 7386, 2): objects member by member, where `null` removes; everything else,
 * arrays included, takes the place of what was there. What the patch does not name keeps its bytes.
 */
export function applyMergePatch(bytes: Buffer, patch: MergePatch): Buffer {
  return bytesOf(merged(nodeOf(bytes), nodeOf(patch.bytes)));
}

function merged(target: JsonNode | undefined, patch: JsonNode): JsonNode {
  if (kindOf(patch) !== "object") return patch;
  const object = target !== undefined && kindOf(target) === "object" ? target : nodeOf(EMPTY);
  const names = childrenOf(patch).map(({ name }) => name ?? "");
  const values = new Map(childrenOf(patch).map(({ name, value }) => [name ?? "", value]));
  changeMembers(object, names, (name, old) => {
    const value = values.get(name);
    return value === undefined || value.bytes.equals(NULL) ? undefined : merged(old, value);
  });
  return object;
}

const EMPTY = Buffer.from("{}");
const NULL = Buffer.from("null");

import { readFhirPathPatch, type FhirPathPatch } from "./fhirpath-operations.ts";
import { applyJsonPatch, readJsonPatch, type JsonPatch } from "./json-patch.ts";
import { applyMergePatch, readMergePatch, type MergePatch } from "./merge-patch.ts";
import { RESULT_BYTES } from "./limits.ts";
import { applyMetaEdit, type MetaEdit } from "./meta-edit.ts";
import { unprocessable } from "./failure.ts";

/** A patch of a resource, read and not yet applied. */
export type Patch =
  | { kind: "json"; patch: JsonPatch }
  | { kind: "merge"; patch: MergePatch }
  | { kind: "meta"; patch: MetaEdit }
  | { kind: "fhirpath"; patch: FhirPathPatch };

/** Reads a JSON Patch (RFC 6902) from bytes that are JSON. Throws `bad-request`. */
export function jsonPatch(bytes: Buffer): Patch {
  return { kind: "json", patch: readJsonPatch(bytes) };
}

/** Reads a JSON Merge Patch (RFC 7386) from bytes that are JSON. Throws `bad-request`. */
export function mergePatch(bytes: Buffer): Patch {
  return { kind: "merge", patch: readMergePatch(bytes) };
}

/** Reads a FHIRPath Patch from a `Parameters` resource that passed the structural check. Throws `bad-request`. */
export function fhirPathPatch(bytes: Buffer): Patch {
  return { kind: "fhirpath", patch: readFhirPathPatch(bytes) };
}

/**
 * The bytes of a resource after a patch. `bytes` are those of a resource that passed the check; the result has yet to. Throws
 * `unprocessable` when the patch cannot be applied.
 */
export async function patched(bytes: Buffer, patch: Patch): Promise<Buffer> {
  const result = await applied(bytes, patch);
  if (result.length > RESULT_BYTES) {
    throw unprocessable(`The resource would have more than ${RESULT_BYTES} bytes.`, { issue: "too-long" });
  }
  return result;
}

async function applied(bytes: Buffer, { kind, patch }: Patch): Promise<Buffer> {
  switch (kind) {
    case "json":
      return applyJsonPatch(bytes, patch);
    case "merge":
      return applyMergePatch(bytes, patch);
    case "meta":
      return applyMetaEdit(bytes, patch);
    default:
      return await applyPaths(bytes, patch);
  }
}

/** The FHIRPath library takes about 0.4 s and 30 MB to load (Node 20 and 24, November 2026): only servers that get such patches do. */
async function applyPaths(bytes: Buffer, patch: FhirPathPatch): Promise<Buffer> {
  const { applyFhirPathPatch } = await import("./fhirpath-patch.ts");
  return applyFhirPathPatch(bytes, patch);
}

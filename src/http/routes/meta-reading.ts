import { StokerError } from "../../base/errors.ts";
import { isObject, type JsonObject } from "../../base/json.ts";
import { metaIdentity } from "../../patch/meta-edit.ts";
import type { ReadContext } from "../../search/context/context.ts";
import { read } from "../../search/read.ts";
import { usedMeta } from "../../search/used-meta.ts";

/**
 * What `$meta` answers (http://hl7.org/fhir/R4/resource-operation-meta.html): a Parameters, of a resource, or of all that a type or
 * the store has; of a resource the version, too. Throws `not-found` and `gone`.
 */
export async function metaOf(
  context: ReadContext,
  type: string | undefined,
  id: string | undefined,
): Promise<{ versionId?: number; parameters: JsonObject }> {
  if (type === undefined || id === undefined) {
    return { parameters: metaParameters(await usedMeta(context, type, metaIdentity)) };
  }
  const { body, version } = await read(context, type, id);
  const { versionId } = version;
  if (body === undefined) throw new StokerError("gone", `Resource ${type}/${id} was deleted in version ${versionId}.`);
  return { versionId, parameters: metaParameters(metaIn(body)) };
}

/** `$meta` takes no parameters. Throws `not-supported`. */
export function refuseMetaParameters(parameters: readonly (readonly [string, string])[]): void {
  const [name] = parameters.find(([each]) => each !== "_format" && each !== "_pretty") ?? [];
  if (name === undefined) return;
  throw new StokerError("not-supported", `$meta: parameter '${name.slice(0, 64)}' is not supported.`, {
    expression: name.slice(0, 64),
  });
}

/** The `meta` of a stored body. */
export function metaIn(body: Buffer): JsonObject {
  const { meta } = JSON.parse(body.toString()) as JsonObject;
  return isObject(meta) ? meta : {};
}

/** The answer of `$meta`, `$meta-add` and `$meta-delete`. */
export function metaParameters(meta: JsonObject): JsonObject {
  return {
    resourceType: "Parameters",
    parameter: [{ name: "return", ...(Object.keys(meta).length > 0 && { valueMeta: meta }) }],
  };
}

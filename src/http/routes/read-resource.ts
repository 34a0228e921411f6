import { StokerError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { ReadContext } from "../../search/context/context.ts";
import { read, type ServedVersion } from "../../search/read.ts";
import { operationDefinition } from "../metadata/operation-definitions.ts";

/**
 * What a read finds: a stored resource, or an OperationDefinition that the server has by itself, which is there as long as none
 * of its id is stored. Throws `not-found`.
 */
export async function readResource(
  reading: ReadContext,
  type: string,
  id: string,
): Promise<{ stored: ServedVersion } | { own: JsonObject }> {
  const own = type === "OperationDefinition" ? operationDefinition(id, reading.baseUrl) : undefined;
  if (own === undefined) return { stored: await read(reading, type, id) };
  const stored = await read(reading, type, id).catch((error: unknown) => {
    if (error instanceof StokerError && error.code === "not-found") return undefined;
    throw error;
  });
  return stored?.body === undefined ? { own } : { stored };
}

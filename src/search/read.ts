import { StokerError } from "../base/errors.ts";
import { readBodies, release } from "../store/resources/body.ts";
import { readCurrent, readVersion, type StoredVersion } from "../store/resources/read.ts";
import { takeRoom, type ReadContext } from "./context/context.ts";
import { servedBody } from "./answer/served-body.ts";

/** A version as it is served. A deleted one has no body: the answer is 410. */
export interface ServedVersion {
  version: StoredVersion;
  body: Buffer | undefined;
}

/** The current version of a resource. Throws `not-found`. */
export async function read(context: ReadContext, type: string, id: string): Promise<ServedVersion> {
  return served(context, await readCurrent(context.pool, type, id), `${type}/${id}`);
}

/** One version of a resource, current or not; `versionId` as in the path. Throws `not-found`. */
export async function readOneVersion(
  context: ReadContext,
  type: string,
  id: string,
  versionId: string,
): Promise<ServedVersion> {
  const number = VERSION_ID.test(versionId) ? Number(versionId) : Number.NaN;
  const version = Math.abs(number) <= MAX_VERSION ? await readVersion(context.pool, type, id, number) : undefined;
  return served(context, version, `${type}/${id}/_history/${versionId}`);
}

const VERSION_ID = /^-?[1-9]\d{0,9}$/;
const MAX_VERSION = 2_147_483_647;

async function served(
  context: ReadContext,
  version: StoredVersion | undefined,
  reference: string,
): Promise<ServedVersion> {
  if (version === undefined) throw new StokerError("not-found", `Resource ${reference} is not known.`);
  if (version.deleted) return { version, body: undefined };
  await takeRoom(context, version.place.length);
  const [body] = await readBodies(context.pool, context.blocks, [version.place]);
  // Erased between the two reads: its bytes are blank now.
  if (body === undefined || !body.includes("{"))
    throw new StokerError("not-found", `Resource ${reference} is not known.`);
  const served = servedBody(version, body);
  // A Bundle may read many large ones, faster than V8 collects what is left of them.
  if (served.buffer !== body.buffer) release(body);
  return { version, body: served };
}

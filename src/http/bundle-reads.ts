import { StokerError } from "../base/errors.ts";
import type { ReadContext } from "../search/context.ts";
import { everything } from "../search/everything.ts";
import { history } from "../search/history.ts";
import { read, readOneVersion, type ServedVersion } from "../search/read.ts";
import { shapeOf } from "../search/read-shape.ts";
import { search } from "../search/search.ts";
import { shaped } from "../search/shape.ts";
import type { EntryRequest } from "./bundle-request.ts";
import { etagOf, isNotModified } from "./preferences.ts";

/** What reading an entry gives. */
export interface EntryReading {
  status: number;
  etag?: string;
  /** Milliseconds since 1970. */
  lastUpdated?: number;
  resource?: Buffer;
}

/** Carries out an entry that reads: read, vread, history, search, $everything. Throws what these throw. */
export async function readForEntry(reading: ReadContext, entry: EntryRequest, strict: boolean): Promise<EntryReading> {
  const { type, id, isHistory, version, member, query } = entry.target;
  const parameters = [...new URLSearchParams(query)];
  if (isHistory && version === undefined) {
    const bundle = await history(reading, { type, id, parameters, strict });
    if (bundle === undefined) throw new StokerError("not-found", `Resource ${type}/${id} is not known.`);
    return { status: 200, resource: bundle };
  }
  if (type === undefined || id === undefined) {
    return { status: 200, resource: await search(reading, { type, parameters, strict }) };
  }
  if (member === "$everything") return { status: 200, resource: await everything(reading, id, parameters) };
  if (member !== undefined) {
    const compartment = { type, id, withItself: false };
    const searched = member === "*" ? undefined : member;
    return { status: 200, resource: await search(reading, { type: searched, parameters, strict, compartment }) };
  }
  const shape = shapeOf(type, parameters);
  const found = await (version === undefined ? read(reading, type, id) : readOneVersion(reading, type, id, version));
  const answer = versionReading(entry, found);
  if (shape === undefined || answer.resource === undefined) return answer;
  return { ...answer, resource: shaped(answer.resource, type, shape) };
}

function versionReading(entry: EntryRequest, { version, body }: ServedVersion): EntryReading {
  const { versionId, lastUpdated } = version;
  const reference = `${version.type}/${version.id}`;
  if (body === undefined) throw new StokerError("gone", `Resource ${reference} was deleted in version ${versionId}.`);
  const conditions = {
    "if-none-match": entry.preconditions.ifNoneMatch,
    "if-modified-since": entry.ifModifiedSince,
  };
  const facts = { etag: etagOf(versionId), lastUpdated };
  if (isNotModified(conditions, versionId, lastUpdated)) return { status: 304, ...facts };
  return { status: 200, ...facts, resource: body };
}

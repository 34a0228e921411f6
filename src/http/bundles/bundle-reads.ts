import { StokerError } from "../../base/errors.ts";
import { operationOutcomeOf } from "../../fhir/operation-outcome.ts";
import type { ReadContext } from "../../search/context/context.ts";
import { everything } from "../../search/everything.ts";
import { history } from "../../search/history/history.ts";
import { readOneVersion, type ServedVersion } from "../../search/read.ts";
import { shapeOf } from "../../search/projection/read-shape.ts";
import { search } from "../../search/search.ts";
import { shaped } from "../../search/projection/shape.ts";
import type { EntryRequest } from "./bundle-request.ts";
import { shapedStatement, type Metadata } from "../metadata/metadata.ts";
import { metaOf, refuseMetaParameters } from "../routes/meta-reading.ts";
import { readResource } from "../routes/read-resource.ts";
import { newRequestId } from "../protocol/request-id.ts";
import { validationIssues } from "../routes/validation.ts";
import { isNotModified } from "../protocol/preferences.ts";
import { etagOf } from "../../write/interactions/etag.ts";
import { hasTag } from "../../write/interactions/etag.ts";

/** What reading an entry gives. */
export interface EntryReading {
  status: number;
  etag?: string;
  /** Milliseconds since 1970. */
  lastUpdated?: number;
  resource?: Buffer;
}

/** What the entries of a Bundle read from. */
export interface EntrySources {
  reading: ReadContext;
  metadata: () => Promise<Metadata>;
}

/**
 * Carries out an entry that reads: read, vread, history, search, $everything, $validate, $meta, capabilities. Throws what these throw.
 */
export async function readForEntry(
  { reading, metadata }: EntrySources,
  entry: EntryRequest,
  strict: boolean,
): Promise<EntryReading> {
  const { type, id, isHistory, version, member, operation, query } = entry.target;
  const parameters = [...new URLSearchParams(query)];
  if (operation === "metadata") return statementReading(entry, await metadata(), parameters);
  if (operation === "$validate") return await validationReading(reading, entry, parameters);
  if (operation === "$meta") {
    refuseMetaParameters(parameters);
    const { versionId, parameters: answer } = await metaOf(reading, type, id);
    const etag = versionId === undefined ? {} : { etag: etagOf(versionId) };
    return { status: 200, ...etag, resource: Buffer.from(JSON.stringify(answer)) };
  }
  if (isHistory && version === undefined) {
    const bundle = await history(reading, { type, id, parameters, strict });
    if (bundle === undefined) throw new StokerError("not-found", `Resource ${type}/${id} is not known.`);
    return { status: 200, resource: bundle.bytes };
  }
  if (type === "Patient" && id === "$everything") {
    return { status: 200, resource: (await everything(reading, undefined, parameters)).bytes };
  }
  if (type === undefined || id === undefined) {
    return { status: 200, resource: (await search(reading, { type, parameters, strict })).bytes };
  }
  if (member === "$everything") return { status: 200, resource: (await everything(reading, id, parameters)).bytes };
  if (member !== undefined) {
    const compartment = { type, id, withItself: false };
    const searched = member === "*" ? undefined : member;
    return {
      status: 200,
      resource: (await search(reading, { type: searched, parameters, strict, compartment })).bytes,
    };
  }
  const shape = shapeOf(type, parameters);
  const found =
    version === undefined
      ? await readResource(reading, type, id)
      : { stored: await readOneVersion(reading, type, id, version) };
  if ("own" in found) return { status: 200, resource: Buffer.from(JSON.stringify(found.own)) };
  const answer = versionReading(entry, found.stored);
  if (shape === undefined || answer.resource === undefined) return answer;
  return { ...answer, resource: shaped(answer.resource, type, shape) };
}

function statementReading(
  { preconditions }: EntryRequest,
  { bytes, tag }: Metadata,
  parameters: readonly [string, string][],
): EntryReading {
  const etag = `W/"${tag}"`;
  if (hasTag(preconditions.ifNoneMatch, tag)) return { status: 304, etag };
  // A copy: an answer gives the memory of its entries back.
  return { status: 200, etag, resource: Buffer.from(shapedStatement(bytes, parameters)) };
}

async function validationReading(
  reading: ReadContext,
  { target, validated }: EntryRequest,
  query: readonly [string, string][],
): Promise<EntryReading> {
  const { type = "", id } = target;
  const issues = await validationIssues(reading, { type, id, query, body: validated });
  return { status: 200, resource: Buffer.from(JSON.stringify(operationOutcomeOf(newRequestId(), issues))) };
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

import { STATUS_CODES } from "node:http";
import { isObject, type JsonObject, type JsonValue } from "../../base/json.ts";
import { operationOutcomeOf, type Issue } from "../../fhir/operation-outcome.ts";
import { withMeta } from "../../fhir/meta-bytes.ts";
import { storedNotes } from "../../write/single/definition-notes.ts";
import type { WrittenResource } from "../../write/single/write-request.ts";
import type { EntryReading } from "./bundle-reads.ts";
import { type Return } from "../protocol/preferences.ts";
import { etagOf } from "../../write/interactions/etag.ts";

/** An entry of the answer: the resource as bytes that are not touched. */
export interface ResponseEntry {
  fullUrl?: string;
  resource?: Buffer;
  response: JsonObject;
}

/** The answer to a batch or transaction, as bytes. */
export function responseBundle(type: "batch" | "transaction", entries: readonly ResponseEntry[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(`{"resourceType":"Bundle","type":"${type}-response"`)];
  for (const [index, { fullUrl, resource, response }] of entries.entries()) {
    const before = fullUrl === undefined ? "{" : `{"fullUrl":${JSON.stringify(fullUrl)},`;
    pieces.push(Buffer.from((index === 0 ? ',"entry":[' : ",") + before));
    if (resource !== undefined) pieces.push(Buffer.from('"resource":'), resource, Buffer.from(","));
    pieces.push(Buffer.from(`"response":${JSON.stringify(response)}}`));
  }
  pieces.push(Buffer.from(entries.length === 0 ? "}" : "]}"));
  return Buffer.concat(pieces);
}

/** The entry of a write. `outcome` is made where it is preferred. */
export function writtenEntry(
  baseUrl: string,
  written: WrittenResource,
  preferred: Return | undefined,
  outcome: () => JsonObject,
): ResponseEntry {
  const { type, id, version, body } = written;
  const isGone = written.outcome === "deleted" || written.outcome === "absent";
  const response: JsonObject = { status: statusText(written.outcome === "created" ? 201 : isGone ? 204 : 200) };
  if (version !== undefined) {
    if (!isGone) response["location"] = `${baseUrl}/${type}/${id}/_history/${version.versionId}`;
    response["etag"] = etagOf(version.versionId);
    response["lastModified"] = new Date(version.lastUpdated).toISOString();
  }
  const notes = storedNotes(written);
  if (preferred === "OperationOutcome") response["outcome"] = outcome();
  else if (notes.length > 0) response["outcome"] = { resourceType: "OperationOutcome", issue: notes };
  const fullUrl = isGone ? {} : { fullUrl: `${baseUrl}/${type}/${id}` };
  if (preferred !== "representation" || body === undefined || version === undefined) return { ...fullUrl, response };
  return { ...fullUrl, resource: withMeta(body, version.versionId, version.lastUpdated), response };
}

/** The entry of a reading. */
export function readEntryResponse({ status, etag, lastUpdated, resource }: EntryReading): ResponseEntry {
  const response: JsonObject = { status: statusText(status) };
  if (etag !== undefined) response["etag"] = etag;
  if (lastUpdated !== undefined) response["lastModified"] = new Date(lastUpdated).toISOString();
  return resource === undefined ? { response } : { resource, response };
}

/** The entry of what failed. */
export function failedEntry({ status, outcome }: { status: number; outcome: JsonObject }): ResponseEntry {
  return { response: { status: statusText(status), outcome } };
}

function statusText(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ""}`.trim();
}

/** Adds issues to the outcome of an entry's answer. */
export function addIssues(entry: ResponseEntry | undefined, requestId: string, issues: readonly Issue[]): void {
  if (entry === undefined) return;
  const outcome = entry.response["outcome"];
  const before = isObject(outcome) && Array.isArray(outcome["issue"]) ? outcome["issue"] : [];
  const added = operationOutcomeOf(requestId, issues);
  entry.response["outcome"] = { ...added, issue: [...before, ...(added["issue"] as JsonValue[])] };
}

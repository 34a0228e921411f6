import type { FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../base/errors.ts";
import type { JsonValue } from "../base/json.ts";

/** Content type of every FHIR answer. */
export const FHIR_JSON = "application/fhir+json; charset=utf-8";

/** Content type of error logs and rejected lines. */
export const FHIR_NDJSON = "application/fhir+ndjson; charset=utf-8";

const JSON_TYPES: ReadonlySet<string> = new Set([
  "*/*",
  "application/*",
  "application/json",
  "application/fhir+json",
  "application/fhir+ndjson",
  "application/ndjson",
  "application/x-ndjson",
  "text/json",
  "json",
]);

/**
 * Whether a client that sent this `Accept` header and `_format` parameter takes JSON, the only format there is (FHIR R4,
 * "Content Types and encodings"). `_format` wins over the header; both absent means yes.
 */
export function acceptsJson(accept: string | undefined, format: string | undefined): boolean {
  if (format !== undefined && format !== "") return JSON_TYPES.has(mediaType(format));
  if (accept === undefined || accept.trim() === "") return true;
  return accept.split(",").some((range) => JSON_TYPES.has(mediaType(range)) && !/;\s*q=0(\.0*)?\s*(;|$)/.test(range));
}

/** Throws `not-acceptable` (406) when the client takes no JSON. */
export function checkAccept(request: FastifyRequest): void {
  const format = (request.query as Readonly<Record<string, unknown>>)["_format"];
  if (acceptsJson(request.headers.accept, typeof format === "string" ? format : undefined)) return;
  throw new StokerError("not-acceptable", "This server answers in JSON only: application/fhir+json.");
}

/** Sends a FHIR resource. */
export function sendResource(reply: FastifyReply, status: number, resource: JsonValue): FastifyReply {
  return reply.code(status).header("content-type", FHIR_JSON).send(JSON.stringify(resource));
}

function mediaType(range: string): string {
  // A `+` that was not escaped in a query string arrives as a space.
  return (range.split(";")[0] ?? "").trim().toLowerCase().replace("fhir json", "fhir+json");
}

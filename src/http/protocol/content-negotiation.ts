import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import type { JsonValue } from "../../base/json.ts";
import { indented } from "../../fhir/json-indent.ts";
import { wantsContent } from "./binary.ts";
import { hasBody } from "./empty-bodies.ts";

/** Content type of every FHIR answer. */
export const FHIR_JSON = "application/fhir+json; charset=utf-8";

/** Content type of error logs and rejected lines. */
export const FHIR_NDJSON = "application/fhir+ndjson; charset=utf-8";

/** Greatest answer that is indented: with 200 levels a small one could become very large. */
const PRETTY_BYTES = 256 * 1024 * 1024;

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
 * Content negotiation for everything below `/fhir`, in one place: 406 for clients that take no JSON, and `_pretty`. To be
 * called before any route is there.
 */
export function negotiateContent(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => {
    if (!isFhir(request)) return;
    // Without it, browsers guess from Last-Modified for how long an answer is good, and show what was changed since.
    reply.header("cache-control", "private, no-cache");
    if (!wantsContent(request)) checkAccept(request);
    if (!hasBody(request)) return;
    const type = request.headers["content-type"] ?? "";
    if (!isOfR4(type)) {
      throw new StokerError("not-supported", "Bodies must be FHIR 4.0: fhirVersion=4.0.", { status: 415 });
    }
    if (isUtf8(type)) return;
    throw new StokerError("not-supported", "Bodies must be UTF-8: charset=utf-8, or none.", { status: 415 });
  });
  app.addHook("preHandler", async (request) => {
    const format = formOf(request)?.get("_format");
    if (typeof format === "string" && !acceptsJson(undefined, format)) throw notAcceptable();
  });
  app.addHook("onSend", async (request, reply, payload) => {
    const type = reply.getHeader("content-type");
    const isJson = typeof type === "string" && /^application\/(?:fhir\+)?json\b/.test(type);
    if (!isJson || !isFhir(request) || !wantsPretty(request)) return payload;
    if (typeof payload === "string") return indented(Buffer.from(payload), PRETTY_BYTES);
    return Buffer.isBuffer(payload) ? indented(payload, PRETTY_BYTES) : payload;
  });
}

/**
 * Whether a client that sent this `Accept` header and `_format` parameter takes JSON of R4, the only format there is (FHIR
 * R4, "Content Types and encodings"). `_format` wins over the header; both absent means yes.
 */
export function acceptsJson(accept: string | undefined, format: string | undefined): boolean {
  if (format !== undefined && format !== "") return isJsonOfR4(format);
  if (accept === undefined || accept.trim() === "") return true;
  return accept.split(",").some((range) => isJsonOfR4(range) && !/;\s*q=0(\.0*)?\s*(;|$)/.test(range));
}

/** Throws `not-acceptable` (406) when the client takes no JSON. */
function checkAccept(request: FastifyRequest): void {
  const format = [(request.query as Readonly<Record<string, unknown>>)["_format"]].flat().at(0);
  if (!acceptsJson(request.headers.accept, typeof format === "string" ? format : undefined)) throw notAcceptable();
}

/** Sends a FHIR resource. */
export function sendResource(reply: FastifyReply, status: number, resource: JsonValue): FastifyReply {
  return reply.code(status).header("content-type", FHIR_JSON).send(JSON.stringify(resource));
}

function notAcceptable(): StokerError {
  return new StokerError("not-acceptable", "This server answers only in FHIR 4.0 JSON: application/fhir+json.");
}

function isFhir({ url }: FastifyRequest): boolean {
  return /^\/fhir(?:[/?]|$)/.test(url);
}

function wantsPretty(request: FastifyRequest): boolean {
  const values = [(request.query as Readonly<Record<string, unknown>>)["_pretty"], formOf(request)?.get("_pretty")];
  return values.flat().includes("true");
}

/** The parameters of a search by POST. */
function formOf({ body, headers }: FastifyRequest): URLSearchParams | undefined {
  if (typeof body !== "string" || !body.includes("_")) return undefined;
  const isForm = headers["content-type"]?.toLowerCase().startsWith("application/x-www-form-urlencoded") === true;
  return isForm ? new URLSearchParams(body) : undefined;
}

function isJsonOfR4(range: string): boolean {
  return JSON_TYPES.has(mediaType(range)) && isOfR4(range);
}

/** A media type without `fhirVersion` is of R4, too. */
function isOfR4(type: string): boolean {
  const version = /;\s*fhirversion\s*=\s*"?([^\s;"]*)/i.exec(type)?.[1];
  return version === undefined || /^4\.0(?:\.1)?$/.test(version);
}

/** JSON and forms of any other encoding would be read wrongly. */
function isUtf8(type: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type)?.[1];
  if (charset === undefined || /^(?:utf-?8|us-ascii)$/i.test(charset)) return true;
  return !/^\s*application\/(?:[\w.-]*\+?json|x-www-form-urlencoded)\b/i.test(type);
}

function mediaType(range: string): string {
  // A `+` that was not escaped in a query string arrives as a space.
  return (range.split(";")[0] ?? "").trim().toLowerCase().replace("fhir json", "fhir+json");
}

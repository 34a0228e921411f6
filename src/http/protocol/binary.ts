import type { FastifyReply, FastifyRequest } from "fastify";
import type { JsonObject } from "../../base/json.ts";

/**
 * The content of Binary resources in its own media type, beside the FHIR resource
 * (http://hl7.org/fhir/R4/binary.html#rest). Which of the two a read means is the `Accept` header's matter.
 */

/** Greatest content that is sent as it is: as base64, a third longer, it has to fit into a resource. */
export const CONTENT_BYTES: number = 11 * 1024 * 1024;

const BINARY = /^\/fhir\/Binary\/[^/?]+(?:\/_history\/[^/?]+)?\/?(?:\?|$)/;
const FHIR_OR_JSON = /^(?:application\/(?:fhir\+\w+|\w+\+fhir|json)|text\/json|json|\*\/\*|application\/\*)$/;
const JSON_NAMES = /^(?:application\/(?:fhir\+json|json)|text\/json|json)$/;
const MEDIA_TYPE = /^[\w.+*!#$&^-]{1,127}\/[\w.+*!#$&^-]{1,127}(?:\s*;[\x20-\x7e]{0,500})?$/;

/**
 * Whether a request reads a Binary and wants its content: the `Accept` header names media types, other than FHIR's, and no
 * JSON. Whoever says nothing, or takes anything, gets the resource.
 */
export function wantsContent({ method, url, headers, query }: FastifyRequest): boolean {
  if ((method !== "GET" && method !== "HEAD") || !BINARY.test(url)) return false;
  if ((query as Readonly<Record<string, unknown>>)["_format"] !== undefined) return false;
  const types = (headers.accept ?? "").split(",").flatMap((range) => {
    const isRefused = /;\s*q=0(\.0*)?\s*(;|$)/.test(range);
    const type = (range.split(";", 1)[0] ?? "").trim().toLowerCase();
    return isRefused || !type.includes("/") ? [] : [type];
  });
  return types.some((type) => !FHIR_OR_JSON.test(type)) && !types.some((type) => JSON_NAMES.test(type));
}

/** Sends the content of a Binary. No browser must take it for a page of this server. */
export function sendContent(reply: FastifyReply, body: Buffer): FastifyReply {
  const { contentType, data } = JSON.parse(body.toString()) as JsonObject;
  const type = typeof contentType === "string" && MEDIA_TYPE.test(contentType) ? contentType : OCTETS;
  return reply
    .header("content-type", type)
    .header("content-disposition", "attachment")
    .header("content-security-policy", "sandbox; default-src 'none'")
    .send(Buffer.from(typeof data === "string" ? data : "", "base64"));
}

const OCTETS = "application/octet-stream";

/** The Binary resource that content sent as it is becomes, as JSON; `id` is that in the path of an update. */
export function binaryOf(content: Buffer, { headers }: FastifyRequest, id: string | undefined): Buffer {
  const context = headers["x-security-context"];
  const resource = {
    resourceType: "Binary",
    ...(id === undefined ? {} : { id }),
    contentType: headers["content-type"] ?? OCTETS,
    ...(typeof context === "string" && context !== "" ? { securityContext: { reference: context } } : {}),
    ...(content.length === 0 ? {} : { data: content.toString("base64") }),
  };
  return Buffer.from(JSON.stringify(resource));
}

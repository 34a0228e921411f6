import type { FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import type { ReadContext } from "../../search/context/context.ts";
import type { ServedVersion } from "../../search/read.ts";
import { shapeOf } from "../../search/projection/read-shape.ts";
import { shaped } from "../../search/projection/shape.ts";
import { sendContent, wantsContent } from "../protocol/binary.ts";
import { FHIR_JSON, sendResource } from "../protocol/content-negotiation.ts";
import { isNotModified } from "../protocol/preferences.ts";
import { etagOf } from "../../write/interactions/etag.ts";
import { readResource } from "./read-resource.ts";

/** Answers a read. Throws `not-found` and `gone`. */
export async function answerRead(
  reading: ReadContext,
  type: string,
  id: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const found = await readResource(reading, type, id);
  return "own" in found ? sendResource(reply, 200, found.own) : answerVersion(request, reply, found.stored);
}

/** Answers a read or vread: 200, shortened as `_summary` or `_elements` say, 304, or `gone` thrown. A Binary may be its content. */
export function answerVersion(
  request: FastifyRequest,
  reply: FastifyReply,
  { version, body }: ServedVersion,
): FastifyReply {
  const { type, id, versionId, lastUpdated } = version;
  const shape = shapeOf(type, queryOf(request));
  reply.header("etag", etagOf(versionId));
  reply.header("last-modified", new Date(lastUpdated).toUTCString());
  if (body === undefined) {
    throw new StokerError("gone", `Resource ${type}/${id} was deleted in version ${versionId}.`);
  }
  if (type === "Binary") reply.header("vary", "accept");
  if (isNotModified(request.headers, versionId, lastUpdated)) return reply.code(304).send();
  if (wantsContent(request)) return sendContent(reply, body);
  return reply.type(FHIR_JSON).send(shape === undefined ? body : shaped(body, type, shape));
}

/** The query string's parameters in their order: names may come several times. */
export function queryOf(request: FastifyRequest): [string, string][] {
  const { url } = request.raw;
  const start = url?.indexOf("?") ?? -1;
  return url === undefined || start < 0 ? [] : [...new URLSearchParams(url.slice(start + 1))];
}

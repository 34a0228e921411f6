import { isUtf8 } from "node:buffer";
import { errorCodes, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { isObject } from "../../base/json.ts";
import { withMeta } from "../../fhir/meta-bytes.ts";
import { checkBody, parseBody } from "../../write/check-body/checked-body.ts";
import { storedNotes } from "../../write/single/definition-notes.ts";
import type { ResourceWriter } from "../../write/single/resource-writer.ts";
import type { WrittenResource } from "../../write/single/write-request.ts";
import { readOneVersion } from "../../search/read.ts";
import type { ReadContext } from "../../search/context/context.ts";
import { binaryOf, CONTENT_BYTES } from "../protocol/binary.ts";
import { FHIR_JSON, sendResource } from "../protocol/content-negotiation.ts";
import { originOf } from "../protocol/origin.ts";
import { HARD_DELETE, isHardDelete } from "./hard-delete.ts";
import { knownType } from "../protocol/known-type.ts";
import {
  conditionalDeleteInteraction,
  conditionalUpdateInteraction,
  createInteraction,
  deleteInteraction,
  preconditionOf,
  refuseCriteria,
  updateInteraction,
  type WriteContext,
  type Interaction,
  type Preconditions,
} from "../../write/interactions/interactions.ts";
import { returnPreference } from "../protocol/preferences.ts";
import { etagOf } from "../../write/interactions/etag.ts";

/** Greatest body of one resource. */
export const RESOURCE_BYTES: number = 16 * 1024 * 1024;

/** What the routes are registered with. */
export interface WriteRoutesOptions {
  reading: WriteContext;
  writer: ResourceWriter;
}

/**
 * create, update and delete, plain and conditional (http://hl7.org/fhir/R4/http.html), for a prefix `/fhir`. Bodies are
 * taken as bytes and stored as they came.
 */
export async function writeRoutes(app: FastifyInstance, { reading, writer }: WriteRoutesOptions): Promise<void> {
  app.removeAllContentTypeParsers();
  takeJson(app, RESOURCE_BYTES);
  takeContent(app);
  const answer = answererOf({ reading, writer });
  app.post<TypeRoute>("/:type", async (request, reply) => {
    refuseCriteria(typeOf(request), undefined, criteriaOfUrl(request));
    const body = await checkBody(resourceIn(request, undefined), typeOf(request));
    return await answer(request, reply, createInteraction(reading, body, preconditionsOf(request)));
  });
  app.put<InstanceRoute>("/:type/:id", async (request, reply) => {
    refuseCriteria(typeOf(request), request.params.id, criteriaOfUrl(request));
    const body = await checkBody(resourceIn(request, request.params.id), typeOf(request));
    return await answer(request, reply, updateInteraction(request.params.id, body, preconditionsOf(request)));
  });
  app.put<TypeRoute>("/:type", async (request, reply) => {
    const body = await checkBody(bodyOf(request), typeOf(request));
    const interaction = conditionalUpdateInteraction(reading, body, criteriaOfUrl(request), preconditionsOf(request));
    return await answer(request, reply, interaction);
  });
  app.delete<InstanceRoute>("/:type/:id", async (request, reply) => {
    if (isHardDelete(criteriaOfUrl(request))) {
      const type = typeOf(request);
      const { id } = request.params;
      await writer.erase(type, id, preconditionOf(preconditionsOf(request), `${type}/${id}`).check, originOf(request));
      return reply.code(204).send();
    }
    refuseCriteria(typeOf(request), request.params.id, criteriaOfUrl(request), HARD_DELETE);
    return await answer(
      request,
      reply,
      deleteInteraction(typeOf(request), request.params.id, preconditionsOf(request)),
    );
  });
  app.delete<TypeRoute>("/:type", async (request, reply) => {
    if (isHardDelete(criteriaOfUrl(request))) {
      throw new StokerError(
        "not-supported",
        "hardDelete is for one resource by its id: DELETE [type]/[id]?hardDelete=true.",
      );
    }
    const [type, criteria] = [typeOf(request), criteriaOfUrl(request)];
    return await answer(
      request,
      reply,
      conditionalDeleteInteraction(reading, type, criteria, preconditionsOf(request)),
    );
  });
}

/** Takes JSON bodies of at most so many bytes, as bytes: text would hide what is not UTF-8. Others are a 415. */
export function takeJson(app: FastifyInstance, bodyLimit: number): void {
  const types = ["application/fhir+json", "application/json"];
  app.addContentTypeParser<Buffer>(types, { parseAs: "buffer", bodyLimit }, (_request, body, done) => {
    // RFC 8259, 8.1: a byte order mark may be ignored.
    const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
    done(null, hasMark ? body.subarray(3) : body);
  });
}

/**
 * Takes bodies of any other type for a Binary, as its content; elsewhere they are a 415, unless empty, and so is what curl says unless
 * told.
 */
function takeContent(app: FastifyInstance): void {
  const options = { parseAs: "buffer", bodyLimit: CONTENT_BYTES } as const;
  app.addContentTypeParser<Buffer>("*", options, (request, content, done) => {
    const { type, id } = request.params as Partial<InstanceRoute["Params"]>;
    const mediaType = request.headers["content-type"] ?? "";
    const isContent = mediaType !== "" && !/^application\/(?:fhir\+|xml\+fhir|x-www-form-urlencoded)/i.test(mediaType);
    if (type === "Binary" && isContent && request.method !== "DELETE") done(null, binaryOf(content, request, id));
    else if (content.length === 0) done(null, content);
    else done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(mediaType), undefined);
  });
}

/**
 * The resource that a body is. Where it goes to a Binary as `application/json` and is none, it is the content of one; as
 * `application/fhir+json` it must be a resource (http://hl7.org/fhir/R4/binary.html#rest). `id` is that in the path.
 */
function resourceIn(request: FastifyRequest<TypeRoute>, id: string | undefined): Buffer {
  const body = bodyOf(request);
  const isPlainJson = /^application\/json\b/i.test(request.headers["content-type"] ?? "");
  if (!isPlainJson || typeOf(request) !== "Binary" || isBinary(body)) return body;
  if (body.length > CONTENT_BYTES) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE();
  return binaryOf(body, request, id);
}

/** Whether a body is a Binary resource in JSON. */
function isBinary(body: Buffer): boolean {
  try {
    const { value } = parseBody(body);
    return isObject(value) && value["resourceType"] === "Binary";
  } catch (error) {
    if (error instanceof StokerError) return false;
    throw error;
  }
}

/** The body as {@link takeJson} left it. Throws `bad-request` when there is none. */
export function bodyOf(request: FastifyRequest): Buffer {
  if (Buffer.isBuffer(request.body) && request.body.length > 0) return request.body;
  throw new StokerError("bad-request", "The request has no body.", { issue: "structure" });
}

/** A path with a type. */
export interface TypeRoute {
  Params: { type: string };
}

/** A path with a type and an id. */
export interface InstanceRoute {
  Params: { type: string; id: string };
}

/** Carries out an interaction and answers it: what routes that write do with what they have read from a request. */
export function answererOf({
  reading,
  writer,
}: WriteRoutesOptions): (
  request: FastifyRequest,
  reply: FastifyReply,
  interaction: Interaction,
) => Promise<FastifyReply> {
  return async (request, reply, interaction) => {
    return await answerWrite(reading, request, reply, together(await writer.write(interaction, originOf(request))));
  };
}

/** Answers a write as `Prefer` wants it. */
async function answerWrite(
  reading: ReadContext,
  request: FastifyRequest,
  reply: FastifyReply,
  written: Written,
): Promise<FastifyReply> {
  const { outcome, type, id, version, body } = written;
  const status = outcome === "created" ? 201 : 200;
  if (version !== undefined) {
    reply.header("etag", etagOf(version.versionId));
    reply.header("last-modified", new Date(version.lastUpdated).toUTCString());
    if (outcome !== "deleted") {
      const location = `${reading.baseUrl}/${type}/${id}/_history/${version.versionId}`;
      reply.header("location", location).header("content-location", location);
    }
  }
  const [note] = storedNotes(written);
  if (note !== undefined) reply.header("warning", `199 stoker ${JSON.stringify(asciiOf(note.diagnostics))}`);
  const preferred = returnPreference(request.headers["prefer"]);
  if (preferred === "OperationOutcome") return sendResource(reply, status, successOutcome(request.id, written));
  if (outcome === "deleted" || outcome === "absent" || version === undefined) return reply.code(204).send();
  if (preferred === "minimal") return reply.code(status).send();
  if (body !== undefined) {
    return reply
      .code(status)
      .type(FHIR_JSON)
      .send(withMeta(body, version.versionId, version.lastUpdated));
  }
  const kept = await readOneVersion(reading, type, id, String(version.versionId));
  return reply.code(status).type(FHIR_JSON).send(kept.body);
}

/** What became of an interaction. */
export interface Written extends WrittenResource {
  /** Resources that were deleted, where there were several: they are not named. */
  readonly several?: number;
}

/** The results of an interaction as one. */
export function together(results: readonly WrittenResource[]): Written {
  const [written] = results;
  if (written === undefined) throw new Error("a write has no result");
  if (results.length === 1) return written;
  return {
    outcome: "deleted",
    type: written.type,
    id: "",
    version: undefined,
    body: undefined,
    several: results.length,
  };
}

/** What was done, in words. */
export function successOutcome(
  requestId: string,
  written: Written,
): {
  resourceType: string;
  id: string;
  issue: { severity: string; code: string; diagnostics: string; expression?: string[] }[];
} {
  const { outcome, type, id, version, several } = written;
  const at = version === undefined ? "" : `, version ${version.versionId}`;
  const absent = id === "" ? `No ${type} matches the condition.` : `${type}/${id} is not there.`;
  const one = outcome === "absent" ? absent : `${type}/${id} ${outcome}${at}.`;
  const diagnostics = several === undefined ? one : `${several} resources of type ${type} deleted.`;
  return {
    resourceType: "OperationOutcome",
    id: requestId,
    issue: [{ severity: "information", code: "informational", diagnostics }, ...storedNotes(written)],
  };
}

/** Headers are ASCII; names of elements and URLs are nearly always. */
function asciiOf(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

/** The type in the path. Throws `not-found` when FHIR R4 has no such type. */
export function typeOf(request: FastifyRequest<TypeRoute>): string {
  return knownType(request.params.type);
}

/** The query string: the criteria of a conditional interaction. */
export function criteriaOfUrl(request: FastifyRequest): string {
  const { url } = request.raw;
  const mark = url?.indexOf("?") ?? -1;
  return url === undefined || mark < 0 ? "" : url.slice(mark + 1);
}

/** The preconditions in the headers. */
export function preconditionsOf(request: FastifyRequest): Preconditions {
  return {
    ifMatch: headerOf(request, "if-match"),
    ifNoneMatch: headerOf(request, "if-none-match"),
    ifUnmodifiedSince: headerOf(request, "if-unmodified-since"),
    ifNoneExist: utf8Of(headerOf(request, "if-none-exist")),
  };
}

/** Node reads headers as Latin-1; criteria that were not escaped came as UTF-8. */
function utf8Of(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const bytes = Buffer.from(header, "latin1");
  return isUtf8(bytes) ? bytes.toString() : header;
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

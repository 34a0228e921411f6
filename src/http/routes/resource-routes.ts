import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import type { Compartment } from "../../search/parse/compartment.ts";
import { READ_TIMEOUT_MS, type ReadContext } from "../../search/context/context.ts";
import { everything } from "../../search/everything.ts";
import { history } from "../../search/history/history.ts";
import type { HistoryRequest } from "../../search/history/history-query.ts";
import { readOneVersion } from "../../search/read.ts";
import { linkHeader, type BundleAnswer } from "../../search/answer/links.ts";
import { search } from "../../search/search.ts";
import { BLOCK_CACHE_BYTES, BlockCache } from "../../store/resources/body.ts";
import { openSearchParameters } from "../../store/search/search-parameters.ts";
import { answerRead, answerVersion, queryOf } from "./answer-version.ts";
import { FHIR_JSON } from "../protocol/content-negotiation.ts";
import type { HttpContext } from "../protocol/context.ts";
import { knownType, refuseOperation } from "../protocol/known-type.ts";
import { operationParameters } from "../../fhir/operation-parameters.ts";
import type { WriteContext } from "../../write/interactions/interactions.ts";
import { originOf } from "../protocol/origin.ts";
import { memoryOf } from "../protocol/request-memory.ts";
import { isStrict } from "../protocol/preferences.ts";

/** What the routes are registered with. */
export interface ResourceRoutesOptions {
  reading: ReadContext;
}

/** What reading back and writing need, of an application; `cancel` ends the statement of a session. */
export function readContext(
  context: Pick<HttpContext, "database" | "baseUrl" | "dateEquality" | "conditionalDeletes">,
  cancel: (processId: number) => Promise<void>,
): WriteContext {
  return {
    pool: context.database.pool,
    get baseUrl() {
      return context.baseUrl;
    },
    blocks: new BlockCache(BLOCK_CACHE_BYTES),
    get dateEquality() {
      return context.dateEquality;
    },
    searchParameters: openSearchParameters(context.database.pool),
    timeout: READ_TIMEOUT_MS,
    cancel,
    conditionalDeletes: context.conditionalDeletes ?? 1,
  };
}

/** The same for one request: what it reads is counted, and given up when its client has gone. */
export function readingOf<Context extends ReadContext>(reading: Context, request: FastifyRequest): Context {
  return { ...reading, signal: originOf(request).signal, memory: memoryOf(request) };
}

/**
 * Reading back: `read`, `vread`, `history` and `search` (contract 5.6, 10), for a prefix `/fhir`. Errors are
 * thrown, for the application's error handler. Bodies go out as the bytes that are stored.
 */
export async function resourceRoutes(app: FastifyInstance, { reading }: ResourceRoutesOptions): Promise<void> {
  if (!app.hasContentTypeParser(FORM)) {
    app.addContentTypeParser(FORM, { parseAs: "string" }, (_request, body, done) => done(null, body));
  }

  app.get("/", (request, reply) => answerSearch(reading, request, reply, undefined, queryOf(request)));
  const form = { bodyLimit: FORM_BYTES };
  const searched = { method: SEARCHING, ...form };
  app.route({
    ...searched,
    url: "/_search",
    handler: (request, reply) => answerSearch(reading, request, reply, undefined, formOf(request)),
  });
  app.get<TypeRoute>("/:type", (request, reply) =>
    answerSearch(reading, request, reply, typeOf(request), queryOf(request)),
  );
  app.route<TypeRoute>({
    ...searched,
    url: "/:type/_search",
    handler: (request, reply) => answerSearch(reading, request, reply, typeOf(request), formOf(request)),
  });
  app.get<InstanceRoute>("/:type/:id", (request, reply) => {
    const type = typeOf(request);
    refuseOperation(request.params.id);
    return answerRead(readingOf(reading, request), type, request.params.id, request, reply);
  });
  app.get("/_history", (request, reply) => answerHistory(reading, request, reply, {}));
  app.get<TypeRoute>("/:type/_history", (request, reply) =>
    answerHistory(reading, request, reply, { type: typeOf(request) }),
  );
  app.get<InstanceRoute>("/:type/:id/_history", (request, reply) =>
    answerHistory(reading, request, reply, { type: typeOf(request), id: request.params.id }),
  );
  for (const url of ["/Patient/$everything", "/Patient/:id/$everything"]) {
    app.route<EverythingRoute>({
      method: SEARCHING,
      url,
      async handler(request, reply) {
        const parameters = [...queryOf(request), ...operationParameters(request.body)];
        return sendPage(reply, await everything(readingOf(reading, request), request.params.id, parameters));
      },
    });
  }
  app.get<CompartmentRoute>("/:type/:id/:member", (request, reply) =>
    answerSearch(reading, request, reply, memberOf(request), queryOf(request), compartmentOf(request)),
  );
  app.route<CompartmentRoute>({
    ...searched,
    url: "/:type/:id/:member/_search",
    handler: (request, reply) =>
      answerSearch(reading, request, reply, memberOf(request), formOf(request), compartmentOf(request)),
  });
  app.get<VersionRoute>("/:type/:id/_history/:version", async (request, reply) => {
    const { id, version } = request.params;
    return answerVersion(
      request,
      reply,
      await readOneVersion(readingOf(reading, request), typeOf(request), id, version),
    );
  });
}

interface TypeRoute {
  Params: { type: string };
}

interface InstanceRoute {
  Params: { type: string; id: string };
}

interface EverythingRoute {
  Params: { id?: string };
}

interface VersionRoute {
  Params: { type: string; id: string; version: string };
}

interface CompartmentRoute {
  Params: { type: string; id: string; member: string };
}

const FORM = "application/x-www-form-urlencoded";

/** `_search` is for POST; some clients can be told to use it with GET. An operation that changes nothing has both. */
const SEARCHING = ["GET", "POST"];

/** Greatest search by POST: room for some thousand values, which is as many as a parameter may list. */
const FORM_BYTES = 2 * 1024 * 1024;

async function answerSearch(
  context: ReadContext,
  request: FastifyRequest,
  reply: FastifyReply,
  type: string | undefined,
  parameters: [string, string][],
  compartment?: Compartment,
): Promise<FastifyReply> {
  const strict = isStrict(request.headers["prefer"]);
  const bundle = await search(readingOf(context, request), {
    type,
    parameters,
    strict,
    ...(compartment && { compartment }),
  });
  return sendPage(reply, bundle);
}

async function answerHistory(
  context: ReadContext,
  request: FastifyRequest,
  reply: FastifyReply,
  of: Pick<HistoryRequest, "type" | "id">,
): Promise<FastifyReply> {
  const strict = isStrict(request.headers["prefer"]);
  const bundle = await history(readingOf(context, request), { ...of, parameters: queryOf(request), strict });
  if (bundle === undefined) throw new StokerError("not-found", `Resource ${of.type}/${of.id} is not known.`);
  return sendPage(reply, bundle);
}

/** A page of answers, with its links in a header, too. */
function sendPage(reply: FastifyReply, { bytes, links }: BundleAnswer): FastifyReply {
  const header = linkHeader(links);
  if (header !== undefined) void reply.header("link", header);
  return reply.type(FHIR_JSON).send(bytes);
}

function typeOf(request: FastifyRequest<TypeRoute>): string {
  return knownType(request.params.type);
}

/** The type that is searched in a compartment; undefined: all of them (`*`). */
function memberOf({ params }: FastifyRequest<CompartmentRoute>): string | undefined {
  return params.member === "*" ? undefined : knownType(params.member);
}

function compartmentOf(request: FastifyRequest<CompartmentRoute>): Compartment {
  return { type: typeOf(request), id: request.params.id, withItself: false };
}

/** The parameters of a `_search`: those in the URL and those in the form. */
function formOf(request: FastifyRequest): [string, string][] {
  const { body } = request;
  if (typeof body === "string" && body !== "" && !request.headers["content-type"]?.toLowerCase().startsWith(FORM)) {
    throw new StokerError("not-supported", `Searches by POST are sent as ${FORM}.`, { status: 415 });
  }
  return [...queryOf(request), ...new URLSearchParams(typeof body === "string" ? body : "")];
}

import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { cancelImport } from "../../import/job/cancel.ts";
import { allErrorLogs, errorLog } from "../../import/report/error-log.ts";
import { findErrorLog, findImport, listImports } from "../../import/report/find-import.ts";
import { registerImport } from "../../import/job/registration.ts";
import { rejectedBytes } from "../../import/report/rejected-bytes.ts";
import { checkImportHeaders, readImportRequest } from "../../import/request/request.ts";
import { importStatus } from "../../import/report/status.ts";
import { FHIR_NDJSON } from "../protocol/content-negotiation.ts";
import type { HttpContext } from "../protocol/context.ts";

/** Ten thousand inputs with long URLs are some 8 MB. */
const IMPORT_BODY_BYTES = 16 * 1024 * 1024;

interface JobRoute {
  Params: { id: string };
  Querystring: { _details?: string | string[] };
}

interface ListRoute {
  Querystring: { before?: string | string[] };
}

interface LogRoute {
  Params: { id: string; name: string };
}

/** `$import` and the status of imports (contract 1 to 3), to be registered below the FHIR base. */
export function registerImportRoutes(app: FastifyInstance, context: HttpContext): void {
  const { database, sources, signal } = context;
  const { pool } = database;

  void app.register(async (scope) => {
    // Any content type reaches the rules, which answer as the contract says.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "string", bodyLimit: IMPORT_BODY_BYTES }, (_request, body, done) => {
      done(null, body);
    });
    scope.post("/$import", { bodyLimit: IMPORT_BODY_BYTES, onRequest: checkHeaders }, async (request, reply) => {
      const mark = request.url.indexOf("?");
      const parts = {
        prefer: header(request, "prefer"),
        contentType: request.headers["content-type"],
        query: mark < 0 ? "" : request.url.slice(mark),
        body: typeof request.body === "string" ? request.body : "",
      };
      const registration = readImportRequest(parts, { ...factsOf(context), sources });
      const id = await registerImport(pool, registration, context.jobLimits?.imports);
      signal.notify();
      return reply.code(202).header("content-location", `${context.baseUrl}/_operations/import/${id}`).send();
    });
  });

  app.get<ListRoute>("/_operations/import", async (request, reply) => {
    const imports = await listImports(pool, [request.query.before].flat()[0]);
    return reply.header("content-type", "application/json; charset=utf-8").send({ imports });
  });

  app.get<JobRoute>("/_operations/import/:id", async (request, reply) => {
    const details = [request.query._details].flat().some((value) => value?.toLowerCase() === "true");
    const status = await importStatus(pool, request.params.id, { details, baseUrl: context.baseUrl });
    if (!status.completed) {
      reply.code(202).header("x-progress", status.progress).header("retry-after", String(status.retryAfter));
    }
    if (status.body === undefined) return reply.send();
    return reply.header("content-type", "application/json; charset=utf-8").send(JSON.stringify(status.body));
  });

  app.delete<JobRoute>("/_operations/import/:id", async (request, reply) => {
    await cancelImport(pool, request.params.id);
    signal.notify();
    return reply.code(202).send();
  });

  app.get<JobRoute>("/_operations/import/:id/errors", async (request, reply) => {
    const id = await findImport(pool, request.params.id);
    return await sendLines(reply, allErrorLogs(pool, id));
  });

  app.get<LogRoute>("/_operations/import/:id/errors/:name", async (request, reply) => {
    const log = await findErrorLog(pool, request.params.id, request.params.name);
    if (log.errorLog?.includes("://") === true) return reply.redirect(log.errorLog);
    return await sendLines(reply, errorLog(pool, log.jobId, log.number));
  });

  app.get<LogRoute>("/_operations/import/:id/rejected/:name", async (request, reply) => {
    const log = await findErrorLog(pool, request.params.id, request.params.name);
    if (log.rejectedLog?.includes("://") === true) return reply.redirect(log.rejectedLog);
    if (log.errorLog?.includes("://") === true) {
      throw new StokerError(
        "not-found",
        "The rejected lines were not kept, because their file had changed or had been removed.",
      );
    }
    return await sendLines(reply, rejectedBytes(pool, sources, log.jobId, log.number, log));
  });
}

function factsOf(
  context: HttpContext,
): Pick<Parameters<typeof readImportRequest>[1], "baseUrl" | "importEnabled" | "initialImportMode" | "maxInputs"> {
  return {
    baseUrl: context.baseUrl,
    importEnabled: context.importEnabled,
    initialImportMode: context.initialImportMode,
    maxInputs: context.importMaxInputs,
  };
}

/** Streams NDJSON. What goes wrong before the first chunk is still answered as an error. */
async function sendLines(reply: FastifyReply, chunks: AsyncGenerator<Buffer, void, undefined>): Promise<FastifyReply> {
  const first = await chunks.next();
  const all = async function* (): AsyncGenerator<Buffer, void, undefined> {
    try {
      if (first.done !== true) yield first.value;
      yield* chunks;
    } finally {
      // Also when the client went away before the second chunk.
      await chunks.return();
    }
  };
  return reply.header("content-type", FHIR_NDJSON).send(Readable.from(all(), { objectMode: false }));
}

/** The headers are judged before the body is read (contract 1.1). */
async function checkHeaders(request: FastifyRequest): Promise<void> {
  checkImportHeaders(header(request, "prefer"), request.headers["content-type"]);
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

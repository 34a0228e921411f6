import { collectGarbage } from "../base/memory.ts";
import { getHeapStatistics } from "node:v8";
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { openResourceWriter } from "../write/single/resource-writer.ts";
import { openControl } from "../postgres/control.ts";
import { bundleRoutes } from "./bundles/bundle-routes.ts";
import { answerClientError } from "./protocol/client-errors.ts";
import { takeAndGiveCompressed } from "./protocol/compression.ts";
import { ignoreTypesOfEmptyBodies } from "./protocol/empty-bodies.ts";
import { MemoryBudget } from "./protocol/memory-budget.ts";
import { countMemory } from "./protocol/request-memory.ts";
import { createServerInTurns } from "./protocol/turns.ts";
import { negotiateContent } from "./protocol/content-negotiation.ts";
import type { HttpContext } from "./protocol/context.ts";
import { registerExportRoutes } from "./routes/export-routes.ts";
import { leaveLengthOut } from "./protocol/head-answers.ts";
import { registerHealthRoutes } from "./routes/health-routes.ts";
import { registerImportRoutes } from "./routes/import-routes.ts";
import { isLocked, lockedError } from "./routes/initial-import-lock.ts";
import { metaRoutes } from "./routes/meta-routes.ts";
import { openMetadata } from "./metadata/metadata.ts";
import { metadataRoutes } from "./routes/metadata-routes.ts";
import { openMetrics } from "./routes/metrics.ts";
import { collectMethods, refuseOtherMethods } from "./protocol/other-methods.ts";
import { watchClients } from "./protocol/origin.ts";
import { readRefusedBodies } from "./protocol/refused-bodies.ts";
import { sendError, sendNotFound } from "./protocol/operation-outcome.ts";
import { answerOtherOrigins } from "./protocol/other-origins.ts";
import { registerReindexRoutes } from "./routes/reindex-routes.ts";
import { patchRoutes } from "./routes/patch-routes.ts";
import { readContext, resourceRoutes } from "./routes/resource-routes.ts";
import { newRequestId, setRequestIds } from "./protocol/request-id.ts";
import { statusPage, STATUS_PAGE_POLICY } from "./routes/status-page.ts";
import { validateRoutes } from "./routes/validate-routes.ts";
import { writeRoutes } from "./routes/write-routes.ts";

/** How long `close()` waits for clients that do not read their answers. */
const CLOSE_GRACE_MS = 4000;

/** Bodies of requests other than `$import`. */
const BODY_BYTES = 16 * 1024 * 1024;

/** The part of the heap that requests in progress may hold. */
const REQUESTS_PART = 0.5;

/** Formats whose text is handed to the routes as it came. */
const TEXT_BODIES = ["application/fhir+json", "application/json", "application/x-www-form-urlencoded"];

/**
 * The HTTP application: the FHIR base at `/fhir`, health, metrics and a page at `/`. It listens when told
 * to; `close()` ends it after the requests at hand.
 */
export function createApp(context: HttpContext): FastifyInstance {
  const logger: FastifyBaseLogger = context.logger;
  const budget = new MemoryBudget(
    context.requestMemory ?? getHeapStatistics().heap_size_limit * REQUESTS_PART,
    collectGarbage,
  );
  const app: FastifyInstance = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newRequestId,
    requestIdHeader: false,
    bodyLimit: BODY_BYTES,
    serverFactory: (handler) => createServerInTurns(handler, budget),
    rewriteUrl: (request) => withDollar(request.url ?? "/"),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 256 },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      setRequestIds(request, reply);
      reply.header("x-content-type-options", "nosniff");
      sendError(error, request, reply);
    },
  });
  answerOtherOrigins(app, context.corsOrigins ?? []);
  const methods = collectMethods(app);
  leaveLengthOut(app);
  watchClients(app);
  readRefusedBodies(app);
  const control = openControl(context.database.connection, context.logger);
  const writer = openResourceWriter({ connection: context.database.connection, logger: context.logger, control });
  const metrics = openMetrics(context.database.pool, context.stageSeconds, {
    memory: () => budget.held,
    writes: () => writer.waiting,
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(TEXT_BODIES, { parseAs: "string" }, (_request, body, done) => done(null, body));
  ignoreTypesOfEmptyBodies(app);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) => sendNotFound(request, reply));
  app.addHook("onRequest", async (request, reply) => {
    setRequestIds(request, reply);
    // No browser must take an answer for something else than it says, such as a page.
    reply.header("x-content-type-options", "nosniff");
    const path = request.url.split("?", 1)[0] ?? "";
    if (context.importEnabled && context.initialImportMode && isLocked(request.method, path)) throw lockedError();
  });
  negotiateContent(app);
  takeAndGiveCompressed(app);
  countMemory(app, budget);
  app.addHook("onResponse", async (request, reply) => {
    // Patterns of routes, not URLs: a query string may hold a patient's data, and labels must be few.
    const route = request.routeOptions.url ?? "none";
    metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    request.log.debug({ method: request.method, route, status: reply.statusCode, ms: reply.elapsedTime }, "answered");
  });

  let deadline: NodeJS.Timeout | undefined;
  app.addHook("preClose", async () => {
    deadline = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
  });
  app.addHook("onClose", async () => clearTimeout(deadline));

  registerHealthRoutes(app, { control, room: context.room });
  app.get("/metrics", async (_request, reply) => {
    return reply.header("content-type", metrics.contentType).send(await metrics.text());
  });
  app.get("/", async (_request, reply) => {
    return reply
      .header("content-type", "text/html; charset=utf-8")
      .header("content-security-policy", STATUS_PAGE_POLICY)
      .send(statusPage(context.version, context.baseUrl));
  });
  void app.register(
    async (scope) => {
      registerImportRoutes(scope, context);
      registerReindexRoutes(scope, context);
      if (context.exports !== undefined) registerExportRoutes(scope, context, context.exports);
    },
    { prefix: "/fhir" },
  );
  const reading = readContext(context, (processId) => control.cancel(processId));
  const metadata = openMetadata(context.version, reading);
  void app.register(metadataRoutes, { prefix: "/fhir", metadata });
  void app.register(resourceRoutes, { prefix: "/fhir", reading });
  // What waits is refused; the connections of its clients are then closed after what is at work.
  app.addHook("preClose", async () => writer.stop());
  app.addHook("onClose", async () => {
    await writer.close();
    await control.close();
  });
  void app.register(writeRoutes, { prefix: "/fhir", reading, writer });
  void app.register(bundleRoutes, { prefix: "/fhir", reading, writer, metadata });
  void app.register(metaRoutes, { prefix: "/fhir", reading, writer });
  void app.register(patchRoutes, { prefix: "/fhir", reading, writer });
  void app.register(validateRoutes, { prefix: "/fhir", reading });
  // Last: it looks at what the others have registered.
  void app.register(refuseOtherMethods, { methods });
  return app;
}

/** Operations may be written `%24import`: the router compares paths as they come. */
function withDollar(url: string): string {
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  return path.includes("%24") ? path.replaceAll("%24", "$") + url.slice(path.length) : url;
}

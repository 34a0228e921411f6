import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { operationOutcome } from "../../fhir/operation-outcome.ts";
import type { Exports, LocalFile } from "../../export/exports.ts";
import type { ExportRequest } from "../../export/request.ts";
import { requestedRange } from "../protocol/byte-range.ts";
import { gzippedStream } from "../protocol/compression.ts";
import { FHIR_NDJSON, sendResource } from "../protocol/content-negotiation.ts";
import { hasTag } from "../../write/interactions/etag.ts";
import type { HttpContext } from "../protocol/context.ts";

interface GroupRoute {
  Params: { id: string };
}

interface FileRoute {
  Params: { id: string; name: string };
}

/** Lists of patients may be long. */
const EXPORT_BODY_BYTES = 16 * 1024 * 1024;

/**
 * `$export` of the system, of patients and of a Group, and the status of exports (Bulk Data Access 2.0), to be registered
 * below the FHIR base.
 */
export function registerExportRoutes(
  app: FastifyInstance,
  context: Pick<HttpContext, "baseUrl">,
  exports: Exports,
): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "string", bodyLimit: EXPORT_BODY_BYTES }, (_request, body, done) => {
      done(null, body);
    });
    for (const method of ["GET", "POST"] as const) {
      const route = (url: string, place: (request: FastifyRequest) => Pick<ExportRequest, "level" | "group">): void => {
        scope.route({
          method,
          url,
          // A HEAD would start an export, too.
          exposeHeadRoute: false,
          bodyLimit: EXPORT_BODY_BYTES,
          async handler(request, reply) {
            const kickOff = { ...place(request), ...partsOf(request), baseUrl: context.baseUrl };
            const { id, warnings } = await exports.register(kickOff, urlOf(request, context.baseUrl));
            reply.code(202).header("content-location", `${context.baseUrl}/_operations/export/${id}`);
            if (warnings.length === 0) return reply.send();
            const diagnostics = warnings.join(" ");
            const issue = { severity: "warning", code: "not-supported", diagnostics } as const;
            return sendResource(reply, 202, operationOutcome(request.id, issue));
          },
        });
      };
      route("/$export", () => ({ level: "system" }));
      route("/Patient/$export", () => ({ level: "patient" }));
      route("/Group/:id/$export", (request) => ({
        level: "group",
        group: (request as FastifyRequest<GroupRoute>).params.id,
      }));
    }
  });

  app.get<GroupRoute>("/_operations/export/:id", async (request, reply) => {
    const status = await exports.status(request.params.id);
    if (!status.completed) {
      reply.code(202).header("x-progress", status.progress).header("retry-after", String(status.retryAfter));
      return reply.send();
    }
    reply.header("expires", status.expires.toUTCString());
    return reply.header("content-type", "application/json; charset=utf-8").send(JSON.stringify(status.manifest));
  });

  app.delete<GroupRoute>("/_operations/export/:id", async (request, reply) => {
    await exports.delete(request.params.id);
    return reply.code(202).send();
  });

  app.get<FileRoute>("/_operations/export/:id/:name", async (request, reply) => {
    const file = await exports.file(request.params.id, request.params.name);
    if ("url" in file) return reply.redirect(file.url);
    return await sendFile(request, reply, file, `"${request.params.id}-${request.params.name}"`);
  });
}

/** Sends a file that never changes, or the part of it that is asked for; a part is never compressed. */
async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { bytes, read }: LocalFile,
  etag: string,
): Promise<FastifyReply> {
  const part = request.method === "GET" ? requestedRange(request.headers, bytes, etag) : "all";
  if (part === "none") {
    reply.header("content-range", `bytes */${String(bytes)}`);
    throw new StokerError("bad-request", `The file has ${String(bytes)} bytes, and none of them are in the range.`, {
      status: 416,
    });
  }
  reply.header("accept-ranges", "bytes").header("content-type", FHIR_NDJSON).header("etag", etag);
  if (part !== "all") {
    reply.code(206).header("content-range", `bytes ${String(part.start)}-${String(part.end)}/${String(bytes)}`);
    return reply.header("content-length", String(part.end - part.start + 1)).send(read(part));
  }
  if (hasTag(request.headers["if-none-match"], etag.slice(1, -1))) return reply.code(304).send();
  const sent = gzippedStream(request, reply, { stream: read(), bytes });
  // Other bytes have another strong ETag (RFC 9110, 8.8.3).
  if (reply.hasHeader("content-encoding")) reply.header("etag", `${etag.slice(0, -1)}-gzip"`);
  return reply.send(sent);
}

function partsOf(request: FastifyRequest): Pick<ExportRequest, "prefer" | "query" | "body"> {
  const { prefer } = request.headers;
  const mark = request.url.indexOf("?");
  return {
    prefer: Array.isArray(prefer) ? prefer.join(", ") : prefer,
    query: mark < 0 ? [] : [...new URLSearchParams(request.url.slice(mark + 1))],
    body: typeof request.body === "string" ? request.body : undefined,
  };
}

/** The kick-off's address as the manifest repeats it: below the public base, whatever stands before the server. */
function urlOf(request: FastifyRequest, baseUrl: string): string {
  return baseUrl + request.url.slice("/fhir".length);
}

import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { operationOutcome, type Issue } from "../../fhir/operation-outcome.ts";
import { databaseError } from "../../postgres/database-errors.ts";
import { sendResource } from "./content-negotiation.ts";

/** What a thrown error becomes for the client. */
interface ErrorAnswer {
  readonly status: number;
  readonly issue: Issue;
}

/** FHIR issue codes of the framework's own refusals, by HTTP status. */
const ISSUE_CODES: Readonly<Record<number, string>> = {
  404: "not-found",
  405: "not-supported",
  413: "too-long",
  414: "too-long",
  415: "not-supported",
};

/** The answer to an error: what users can act on is said, everything else is hidden (decision D-12). */
function answerTo(thrown: unknown): ErrorAnswer {
  const error = databaseError(thrown);
  if (error instanceof StokerError && error.code !== "internal") {
    const expression = error.expression === undefined ? undefined : [error.expression];
    return {
      status: error.status,
      issue: { severity: "error", code: error.issue, diagnostics: error.message, text: error.details, expression },
    };
  }
  const { statusCode: status, code } = (thrown ?? {}) as Partial<FastifyError>;
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    const diagnostics = "The Content-Type of the body must be application/fhir+json or application/json.";
    return { status: 415, issue: { severity: "error", code: "not-supported", diagnostics } };
  }
  if (thrown instanceof Error && status !== undefined && status >= 400 && status < 500) {
    return {
      status,
      issue: { severity: "error", code: ISSUE_CODES[status] ?? "invalid", diagnostics: thrown.message },
    };
  }
  const diagnostics = "An internal error occurred. The server's log has its details under the id of this outcome.";
  return { status: 500, issue: { severity: "error", code: "exception", diagnostics } };
}

/** The status and OperationOutcome of an error; those that are the server's fault are logged. */
export function errorOutcome(error: unknown, request: FastifyRequest): { status: number; outcome: JsonObject } {
  const answer = answerTo(error);
  // That an import failed was logged when it did, and its status may be asked for many times.
  // Of those that are told to come again there may be many.
  const isKnown = error instanceof StokerError && (error.code === "job-failed" || error.code === "busy");
  if (answer.status >= 500 && !isKnown) {
    // The route's pattern, not the URL: a query string may hold a patient's data.
    request.log.error({ err: error, method: request.method, route: request.routeOptions.url }, "a request failed");
  }
  return { status: answer.status, outcome: operationOutcome(request.id, answer.issue) };
}

/** Answers with the OperationOutcome of an error. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, outcome } = errorOutcome(error, request);
  const retryAfter = error instanceof StokerError ? error.retryAfter : undefined;
  if (retryAfter !== undefined || status === 503) reply.header("retry-after", String(retryAfter ?? 1));
  return sendResource(reply, status, outcome);
}

/** The answer for a path that is no route. */
export function sendNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split("?", 1)[0] ?? "";
  return sendError(new StokerError("not-found", `There is nothing at ${request.method} ${path}.`), request, reply);
}

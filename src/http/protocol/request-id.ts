import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";

/** The id of a request: in every answer's `X-Request-Id`, in the log, and the id of its OperationOutcome (contract 1.4). */
export function newRequestId(): string {
  return randomUUID();
}

/** Sets `X-Request-Id`, and `X-Correlation-Id` to the client's own `X-Request-Id` when it sent one. */
export function setRequestIds(request: FastifyRequest, reply: FastifyReply): void {
  reply.header("x-request-id", request.id);
  const sent = request.headers["x-request-id"];
  if (typeof sent === "string" && /^[\x21-\x7e]{1,128}$/.test(sent)) reply.header("x-correlation-id", sent);
}

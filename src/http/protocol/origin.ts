import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { WriteOrigin } from "../../write/single/write-request.ts";

/** Whose a request is, and what tells that its client has gone. */
export interface RequestOrigin extends WriteOrigin {
  /** Fires when the connection ends before the answer is sent. */
  readonly signal: AbortSignal;
}

const origins = new WeakMap<IncomingMessage, RequestOrigin>();

/** Watches whether clients are still there. To be called before any route is there. */
export function watchClients(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => {
    const gone = new AbortController();
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished) gone.abort();
    });
    origins.set(request.raw, { client: request.ip, signal: gone.signal });
  });
}

/** The origin of a request, the same object each time. */
export function originOf(request: FastifyRequest): RequestOrigin {
  const origin = origins.get(request.raw);
  if (origin === undefined) throw new Error("watchClients was not called");
  return origin;
}

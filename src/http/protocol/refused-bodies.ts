import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";

/** How long an answer waits for what is left of a body that was refused. */
const LINGER_MS = 10_000;

/**
 * What is left of a body that is too long is read and thrown away before the answer goes out, for at most ten seconds: the framework
 * closes the connection with it, and a client that is still sending would see a broken connection instead of the 413 (RFC 9112,
 * 9.6). To be called before any route is there.
 */
export function readRefusedBodies(app: FastifyInstance): void {
  app.addHook("onSend", async (request, reply, payload) => {
    const { raw } = request;
    const isLeft = !raw.complete && !raw.readableEnded && !raw.destroyed;
    if (isLeft && reply.statusCode >= 400 && reply.getHeader("connection") === "close") await readToEnd(raw);
    return payload;
  });
}

function readToEnd(raw: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, LINGER_MS);
    raw.once("end", end).once("close", end).once("error", end);
    // It may be on its way to be inflated.
    raw.unpipe();
    raw.resume();
    function end(): void {
      clearTimeout(timer);
      raw.off("end", end).off("close", end).off("error", end);
      resolve();
    }
  });
}

import type { FastifyInstance } from "fastify";

/** How long what is left of a body that was refused may take. */
const LINGER_MS = 30_000;

/**
 * What is left of a body that is too long, or of another type, is read and thrown away, for at most 30 seconds: the framework would
 * close the connection with its answer, and a client that is still sending would see a broken connection instead of the 413
 * (RFC 9112, 9.6). To be called before any route is there.
 */
export function readRefusedBodies(app: FastifyInstance): void {
  app.addHook("onSend", async (request, reply, payload) => {
    const { raw } = request;
    if (reply.statusCode < 400 || raw.complete || reply.getHeader("connection") !== "close") return payload;
    reply.removeHeader("connection");
    const { socket } = raw;
    const timer = setTimeout(() => {
      if (!raw.complete) socket.destroy();
    }, LINGER_MS);
    timer.unref();
    raw.once("close", () => clearTimeout(timer));
    return payload;
  });
}

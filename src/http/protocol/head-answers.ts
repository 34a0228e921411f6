import type { FastifyInstance, onSendAsyncHookHandler } from "fastify";

/**
 * A 304 to a HEAD has no `Content-Length`, as that to a GET: the framework's would be 0, which is not the length of the 200
 * (RFC 9110, 8.6). To be called before any route is there.
 */
export function leaveLengthOut(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    // After the framework's own hook of such a route, which writes the length.
    if (route.method === "HEAD") route.onSend = [route.onSend ?? [], withoutLength].flat();
  });
}

const withoutLength: onSendAsyncHookHandler = async (_request, reply, payload) => {
  if (reply.statusCode === 304) reply.removeHeader("content-length");
  return payload;
};

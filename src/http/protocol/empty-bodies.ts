import { errorCodes, type FastifyInstance, type FastifyRequest } from "fastify";

/**
 * A `Content-Type` says nothing when there is no body, and some clients send one with every request: it is ignored. Not for imports,
 * whose contract asks for it, for a Binary, which keeps it, and for patches, whose kind it names. To be called before any
 * route is there.
 */
export function ignoreTypesOfEmptyBodies(app: FastifyInstance): void {
  app.addHook("onRequest", async (request) => {
    const isMeant = request.method === "PATCH" || MEANT.test(request.url);
    if (!isMeant && !hasBody(request)) delete request.headers["content-type"];
  });
  takeEmptyBodies(app);
}

const MEANT = /^\/fhir\/(?:\$import|Binary(?:\/[^/?]*)?)\/?(?:\?|$)/;

/** Whether a body comes with a request; one that is sent in chunks may turn out to be empty. */
export function hasBody({ headers }: Pick<FastifyRequest, "headers">): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) !== 0);
}

/** Takes empty bodies of types for which there is no other parser, as an empty text; longer ones stay a 415. */
export function takeEmptyBodies(app: FastifyInstance): void {
  app.addContentTypeParser("*", (request, payload, done) => {
    let isAnswered = false;
    const end = (error: Error | null): void => {
      if (isAnswered) return;
      isAnswered = true;
      done(error, "");
    };
    const refused = new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(request.headers["content-type"] ?? "");
    // At a path that is no route, that is what is wrong.
    payload.once("data", () => end(request.is404 ? null : refused));
    payload.once("end", () => end(null));
    payload.once("error", (error) => end(error));
  });
}

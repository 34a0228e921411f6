import type { FastifyInstance, FastifyRequest, HTTPMethods } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";

/** The methods of every path below `/fhir`, by its pattern. */
export type PathMethods = ReadonlyMap<string, ReadonlySet<string>>;

/** Methods that a path may lack. */
const METHODS: readonly HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/** Collects the methods of the routes that are registered from now on. */
export function collectMethods(app: FastifyInstance): PathMethods {
  const methods = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const pattern = url.length > 1 ? url.replace(/\/$/, "") : url;
    if (!/^\/fhir(?:\/|$)/.test(pattern) || pattern.includes("*")) return;
    const known = methods.get(pattern) ?? new Set();
    for (const each of [method].flat()) known.add(each);
    methods.set(pattern, known);
  });
  return methods;
}

/**
 * Answers the methods that a path does not have with 405 and `Allow`, where there would be a 404 (RFC 9110, 15.5.6). To be
 * registered after all other routes. What is no resource type stays unknown, and so does what begins with `$`: an
 * operation that does not exist.
 */
export async function refuseOtherMethods(app: FastifyInstance, { methods }: { methods: PathMethods }): Promise<void> {
  for (const [url, known] of methods) {
    const allowed = METHODS.filter((method) => known.has(method));
    const others = METHODS.filter((method) => !known.has(method));
    if (others.length === 0 || allowed.length === 0) continue;
    app.route<{ Params: Record<string, string | undefined> }>({
      method: others,
      url,
      // Before the body is read, which may be of any type.
      onRequest: async (request, reply) => {
        if (!isKnown(request)) throw new StokerError("not-found", nothingAt(request));
        reply.header("allow", allowed.join(", "));
        throw new StokerError("method-not-allowed", `${pathOf(request)} takes ${allowed.join(", ")} only.`);
      },
      handler: async () => undefined,
    });
  }
}

function isKnown({ params }: FastifyRequest<{ Params: Record<string, string | undefined> }>): boolean {
  for (const type of [params["type"], params["member"]]) {
    if (type !== undefined && type !== "*" && resourceTypeId(type) === undefined) return false;
  }
  return Object.values(params).every((value) => value?.startsWith("$") !== true);
}

function nothingAt(request: FastifyRequest): string {
  return `There is nothing at ${request.method} ${pathOf(request)}.`;
}

function pathOf({ url }: FastifyRequest): string {
  return url.split("?", 1)[0] ?? "";
}

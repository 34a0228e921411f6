import type { FastifyInstance } from "fastify";
import { queryOf } from "./answer-version.ts";
import { FHIR_JSON } from "../protocol/content-negotiation.ts";
import { shapedStatement, type Metadata } from "../metadata/metadata.ts";
import { hasTag } from "../../write/interactions/etag.ts";

/** What the routes are registered with. */
export interface MetadataRoutesOptions {
  metadata: () => Promise<Metadata>;
}

/** `GET metadata`, for a prefix `/fhir`. */
export async function metadataRoutes(app: FastifyInstance, { metadata }: MetadataRoutesOptions): Promise<void> {
  app.get("/metadata", async (request, reply) => {
    const { bytes, tag } = await metadata();
    reply.header("etag", `W/"${tag}"`);
    if (hasTag(request.headers["if-none-match"], tag)) return reply.code(304).send();
    return reply.type(FHIR_JSON).send(shapedStatement(bytes, queryOf(request)));
  });
}

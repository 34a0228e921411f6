import { hash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { SearchParameterLookup } from "../fhir/custom-search-parameters.ts";
import type { ReadContext } from "../search/context.ts";
import { shapeOf } from "../search/read-shape.ts";
import { shaped } from "../search/shape.ts";
import { queryOf } from "./answer-version.ts";
import { capabilityStatement } from "./capability-statement.ts";
import { FHIR_JSON } from "./content-negotiation.ts";
import { hasTag } from "./preferences.ts";

/** What the routes are registered with. */
export interface MetadataRoutesOptions {
  /** Of Stoker, as the CapabilityStatement says it. */
  version: string;
  reading: ReadContext;
}

/** `GET metadata`, for a prefix `/fhir`. */
export async function metadataRoutes(app: FastifyInstance, { version, reading }: MetadataRoutesOptions): Promise<void> {
  let made: { baseUrl: string; lookup: SearchParameterLookup; bytes: Buffer; tag: string } | undefined;

  app.get("/metadata", async (request, reply) => {
    const { baseUrl } = reading;
    const lookup = await reading.searchParameters.current();
    if (made?.baseUrl !== baseUrl || made.lookup !== lookup) {
      const bytes = Buffer.from(JSON.stringify(capabilityStatement(version, baseUrl, lookup)));
      made = { baseUrl, lookup, bytes, tag: hash("sha1", bytes, "hex").slice(0, 16) };
    }
    reply.header("etag", `W/"${made.tag}"`);
    if (hasTag(request.headers["if-none-match"], made.tag)) return reply.code(304).send();
    return reply.type(FHIR_JSON).send(shapedStatement(made.bytes, request));
  });
}

function shapedStatement(bytes: Buffer, request: FastifyRequest): Buffer {
  const shape = shapeOf("CapabilityStatement", queryOf(request));
  if (shape === undefined) return bytes;
  const whole = Buffer.from(bytes.toString().replace("{", '{"meta":{},')); // the place of the tag SUBSETTED
  const short = shaped(whole, "CapabilityStatement", shape);
  return short === whole ? bytes : short;
}

import { hash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../base/errors.ts";
import type { ReadContext } from "../search/context.ts";
import { read } from "../search/read.ts";
import { shapeOf } from "../search/read-shape.ts";
import { shaped } from "../search/shape.ts";
import { answerVersion, queryOf } from "./answer-version.ts";
import { capabilityStatement } from "./capability-statement.ts";
import { FHIR_JSON, sendResource } from "./content-negotiation.ts";
import { OPERATION_DEFINITION_IDS, operationDefinition } from "./operation-definitions.ts";
import { hasTag } from "./preferences.ts";

/** What the routes are registered with. */
export interface MetadataRoutesOptions {
  /** Of Stoker, as the CapabilityStatement says it. */
  version: string;
  reading: ReadContext;
}

/**
 * `GET metadata`, and the OperationDefinitions that it refers to, for a prefix `/fhir`. A stored OperationDefinition of the
 * same id is served instead.
 */
export async function metadataRoutes(app: FastifyInstance, { version, reading }: MetadataRoutesOptions): Promise<void> {
  let made: { baseUrl: string; bytes: Buffer; tag: string } | undefined;

  app.get("/metadata", async (request, reply) => {
    const { baseUrl } = reading;
    if (made?.baseUrl !== baseUrl) {
      const bytes = Buffer.from(JSON.stringify(capabilityStatement(version, baseUrl)));
      made = { baseUrl, bytes, tag: hash("sha1", bytes, "hex").slice(0, 16) };
    }
    reply.header("etag", `W/"${made.tag}"`);
    if (hasTag(request.headers["if-none-match"], made.tag)) return reply.code(304).send();
    return reply.type(FHIR_JSON).send(shapedStatement(made.bytes, request));
  });

  for (const id of OPERATION_DEFINITION_IDS) {
    app.get(`/OperationDefinition/${id}`, (request, reply) => answerDefinition(reading, id, request, reply));
  }
}

function shapedStatement(bytes: Buffer, request: FastifyRequest): Buffer {
  const shape = shapeOf("CapabilityStatement", queryOf(request));
  if (shape === undefined) return bytes;
  const text = bytes.toString().replace("{", '{"meta":{},'); // the place of the tag SUBSETTED
  return shaped(Buffer.from(text), "CapabilityStatement", shape);
}

async function answerDefinition(
  reading: ReadContext,
  id: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const stored = await read(reading, "OperationDefinition", id).catch((error: unknown) => {
    if (error instanceof StokerError && error.code === "not-found") return undefined;
    throw error;
  });
  if (stored?.body !== undefined) return answerVersion(request, reply, stored);
  return sendResource(reply, 200, operationDefinition(id, reading.baseUrl));
}

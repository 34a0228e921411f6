import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { operationOutcomeOf } from "../../fhir/operation-outcome.ts";
import type { ReadContext } from "../../search/context/context.ts";
import { queryOf } from "./answer-version.ts";
import { sendResource } from "../protocol/content-negotiation.ts";
import { takeEmptyBodies } from "../protocol/empty-bodies.ts";
import { knownType } from "../protocol/known-type.ts";
import { validationIssues } from "./validation.ts";
import { takeJson } from "./write-routes.ts";

/** What the routes are registered with. */
export interface ValidateRoutesOptions {
  reading: ReadContext;
}

/** Greatest body: a resource, and what a Parameters has around it. */
const BODY_BYTES = 17 * 1024 * 1024;

/**
 * `$validate` of types and instances (http://hl7.org/fhir/R4/resource-operation-validate.html), for a prefix `/fhir`: all
 * problems that the structural checks find. Profiles are not checked, and who asks for one is told so by an error.
 */
export async function validateRoutes(app: FastifyInstance, { reading }: ValidateRoutesOptions): Promise<void> {
  app.removeAllContentTypeParsers();
  takeJson(app, BODY_BYTES);
  takeEmptyBodies(app);

  app.post<Route>("/:type/$validate", (request, reply) => answer(reading, request, reply));
  app.post<Route>("/:type/:id/$validate", (request, reply) => answer(reading, request, reply));
  app.get<Route>("/:type/:id/$validate", (request, reply) => answer(reading, request, reply));
}

interface Route {
  Params: { type: string; id?: string };
}

async function answer(
  reading: ReadContext,
  request: FastifyRequest<Route>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const type = knownType(request.params.type);
  const { id } = request.params;
  const { body } = request;
  const issues = await validationIssues(reading, {
    type,
    id,
    query: queryOf(request),
    body: Buffer.isBuffer(body) && body.length > 0 ? body : undefined,
  });
  return sendResource(reply, 200, operationOutcomeOf(request.id, issues));
}

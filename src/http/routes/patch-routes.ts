import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { ownTurnFor } from "../../base/own-turn.ts";
import { PATCH_FORMATS } from "../metadata/capabilities.ts";
import {
  conditionalPatchInteraction,
  patchInteraction,
  readFhirPathPatchBody,
  readJsonPatchBody,
  type ReadPatch,
} from "../../write/interactions/patch-interactions.ts";
import { refuseCriteria } from "../../write/interactions/interactions.ts";
import {
  answererOf,
  bodyOf,
  criteriaOfUrl,
  preconditionsOf,
  RESOURCE_BYTES,
  typeOf,
  type InstanceRoute,
  type TypeRoute,
  type WriteRoutesOptions,
} from "./write-routes.ts";

/** Media types that are taken; FHIR resources may also come as `application/json`, as everywhere (decision D-17). */
const PATCH_TYPES: readonly string[] = [...PATCH_FORMATS, "application/json"];

/** patch and conditional patch (http://hl7.org/fhir/R4/http.html#patch), for a prefix `/fhir`. */
export async function patchRoutes(app: FastifyInstance, { reading, writer }: WriteRoutesOptions): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: RESOURCE_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook("onRequest", async (request, reply) => checkMediaType(request, reply));

  const answer = answererOf({ reading, writer });
  app.patch<InstanceRoute>("/:type/:id", async (request, reply) => {
    const type = typeOf(request);
    refuseCriteria(type, request.params.id, criteriaOfUrl(request));
    const patch = await patchOf(request);
    return await answer(
      request,
      reply,
      patchInteraction(reading, type, request.params.id, patch, preconditionsOf(request)),
    );
  });
  app.patch<TypeRoute>("/:type", async (request, reply) => {
    const type = typeOf(request);
    const patch = await patchOf(request);
    const interaction = conditionalPatchInteraction(
      reading,
      type,
      criteriaOfUrl(request),
      patch,
      preconditionsOf(request),
    );
    return await answer(request, reply, interaction);
  });
}

async function patchOf(request: FastifyRequest): Promise<ReadPatch> {
  const bytes = bodyOf(request);
  await ownTurnFor(bytes.length);
  return readJsonPatchBody(mediaTypeOf(request), bytes) ?? (await readFhirPathPatchBody(bytes));
}

/** 415, with the media types that are taken also in `Accept-Patch` (RFC 5789, 2.2). */
function checkMediaType(request: FastifyRequest, reply: FastifyReply): void {
  if (PATCH_TYPES.includes(mediaTypeOf(request))) return;
  const accepted = PATCH_TYPES.join(", ");
  reply.header("accept-patch", accepted);
  throw new StokerError("not-supported", `The Content-Type of a patch must be one of ${accepted}.`, { status: 415 });
}

function mediaTypeOf(request: FastifyRequest): string {
  return (request.headers["content-type"]?.split(";", 1)[0] ?? "").trim().toLowerCase();
}

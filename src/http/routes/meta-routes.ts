import type { FastifyInstance, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../base/json.ts";
import { operationParameters } from "../../fhir/operation-parameters.ts";
import { checkBody } from "../../write/check-body/checked-body.ts";
import type { Change } from "../../write/single/write-request.ts";
import { META_SETS, type MetaEdit } from "../../patch/meta-edit.ts";
import { readOneVersion } from "../../search/read.ts";
import { queryOf } from "./answer-version.ts";
import { sendResource } from "../protocol/content-negotiation.ts";
import { takeEmptyBodies } from "../protocol/empty-bodies.ts";
import { knownType } from "../protocol/known-type.ts";
import { originOf } from "../protocol/origin.ts";
import { etagOf } from "../../write/interactions/etag.ts";
import { refuseCriteria, type Interaction, type Preconditions } from "../../write/interactions/interactions.ts";
import { patchInteraction, type PatchContext } from "../../write/interactions/patch-interactions.ts";
import { metaIn, metaOf, metaParameters, refuseMetaParameters } from "./meta-reading.ts";
import { readingOf } from "./resource-routes.ts";
import { bodyOf, criteriaOfUrl, preconditionsOf, takeJson, together, type WriteRoutesOptions } from "./write-routes.ts";

/** Greatest body: a Parameters with some tags. */
const BODY_BYTES = 1024 * 1024;

interface MetaRoute {
  Params: { type?: string; id?: string };
}

interface InstanceRoute {
  Params: { type: string; id: string };
}

/**
 * `$meta` of a resource, a type and the store, `$meta-add` and `$meta-delete` of a resource
 * (http://hl7.org/fhir/R4/resource-operation-meta.html), for a prefix `/fhir`.
 */
export async function metaRoutes(app: FastifyInstance, { reading, writer }: WriteRoutesOptions): Promise<void> {
  app.removeAllContentTypeParsers();
  takeJson(app, BODY_BYTES);
  takeEmptyBodies(app);
  for (const url of ["/$meta", "/:type/$meta", "/:type/:id/$meta"]) {
    app.route<MetaRoute>({
      method: ["GET", "POST"],
      url,
      async handler(request, reply) {
        const type = request.params.type === undefined ? undefined : knownType(request.params.type);
        refuseParameters(request);
        const { versionId, parameters } = await metaOf(readingOf(reading, request), type, request.params.id);
        if (versionId !== undefined) reply.header("etag", etagOf(versionId));
        return sendResource(reply, 200, parameters);
      },
    });
  }
  for (const how of ["add", "delete"] as const) {
    app.post<InstanceRoute>(`/:type/:id/$meta-${how}`, async (request, reply) => {
      const type = knownType(request.params.type);
      const { id } = request.params;
      refuseCriteria(type, id, criteriaOfUrl(request));
      const edit = { how, meta: await readMeta(bodyOf(request), how) };
      const interaction = metaInteraction(reading, type, id, edit, preconditionsOf(request));
      const { version } = together(await writer.write(interaction, originOf(request)));
      if (version === undefined) throw new Error("a changed meta has no version");
      const { body } = await readOneVersion(readingOf(reading, request), type, id, String(version.versionId));
      reply.header("etag", etagOf(version.versionId));
      reply.header("last-modified", new Date(version.lastUpdated).toUTCString());
      return sendResource(reply, 200, metaParameters(metaIn(body ?? Buffer.from("{}"))));
    });
  }
}

/** A change of `meta` that makes a new version; where there is nothing to change, none. */
function metaInteraction(
  context: PatchContext,
  type: string,
  id: string,
  edit: MetaEdit,
  on: Preconditions,
): Interaction {
  const patching = patchInteraction(context, type, id, { patch: { kind: "meta", patch: edit }, bytes: 0 }, on);
  return {
    ...patching,
    async plan(client, limits) {
      const [change] = await patching.plan(client, limits);
      return [unlessSame(change)];
    },
  };
}

function unlessSame(change: Change): Change {
  if (change.kind !== "put" || !("before" in change)) return change;
  const { type, id, bytes, resource } = change.body;
  if (!bytes.equals(change.before as Buffer)) return change;
  const { versionId, lastUpdated } = resource["meta"] as JsonObject;
  return { kind: "keep", type, id, versionId: Number(versionId), lastUpdated: Date.parse(lastUpdated as string) };
}

/** The Meta of a `$meta-add` or `$meta-delete`: the one parameter, `meta`. Rejects with `bad-request`. */
async function readMeta(bytes: Buffer, how: MetaEdit["how"]): Promise<JsonObject> {
  const { resource } = await checkBody(bytes, "Parameters");
  const { parameter } = resource;
  const list: readonly JsonValue[] = Array.isArray(parameter) ? parameter : [];
  const [only] = list;
  const meta = isObject(only) && only["name"] === "meta" ? only["valueMeta"] : undefined;
  if (list.length !== 1 || !isObject(meta)) {
    throw new StokerError("bad-request", `$meta-${how} takes one parameter, 'meta', with a valueMeta.`, {
      expression: "Parameters.parameter",
    });
  }
  if (META_SETS.every((name) => meta[name] === undefined)) {
    const text = `$meta-${how} changes profiles, tags and security labels: the Meta must have 'profile', 'tag' or 'security'.`;
    throw new StokerError("bad-request", text, { expression: "Parameters.parameter.value" });
  }
  return meta;
}

/** `$meta` takes none. Throws `bad-request`. */
function refuseParameters(request: FastifyRequest): void {
  const sent = Buffer.isBuffer(request.body) ? operationParameters(request.body.toString()) : [];
  refuseMetaParameters([...queryOf(request), ...sent]);
}

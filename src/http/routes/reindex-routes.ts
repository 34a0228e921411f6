import type { FastifyInstance } from "fastify";
import { StokerError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { parseBoundedJson } from "../../fhir/json-limits.ts";
import { cancelReindex, ReindexState, reindexStatus, requestReindex, type ReindexStatus } from "../../reindex/jobs.ts";
import { checkJobRoom, UNLIMITED } from "../../jobs/job-limits.ts";
import { sendResource } from "../protocol/content-negotiation.ts";
import type { HttpContext } from "../protocol/context.ts";

interface JobRoute {
  Params: { id: string };
}

/**
 * `$reindex` (async, as the asynchronous request pattern of R4 has it), to be registered below the FHIR base: indexes what
 * is stored by the search parameters that were defined since, and then enables them.
 */
export function registerReindexRoutes(app: FastifyInstance, context: HttpContext): void {
  const { pool } = context.database;

  app.post("/$reindex", async (request, reply) => {
    checkBody(request.body);
    await checkJobRoom("reindex", context.jobLimits?.reindexes ?? UNLIMITED);
    const id = await requestReindex(pool);
    context.reindexer?.wake();
    return reply.code(202).header("content-location", `${context.baseUrl}/_operations/reindex/${id}`).send();
  });

  app.get<JobRoute>("/_operations/reindex/:id", async (request, reply) => {
    const status = await reindexStatus(pool, request.params.id);
    switch (status.state) {
      case ReindexState.running:
        return reply.code(202).header("x-progress", progressOf(status)).header("retry-after", "1").send();
      case ReindexState.failed:
        throw new StokerError("job-failed", `The reindex operation failed: ${status.failure ?? ""}`);
      case ReindexState.cancelled:
        throw new StokerError("job-cancelled", "The reindex operation was cancelled.");
      default:
        return sendResource(reply, 200, resultOf(status));
    }
  });

  app.delete<JobRoute>("/_operations/reindex/:id", async (request, reply) => {
    await cancelReindex(pool, request.params.id);
    return reply.code(202).send();
  });
}

/** There is nothing to choose: all parameters that are not enabled are indexed, for all their types. */
function checkBody(body: unknown): void {
  if (typeof body !== "string" || body.trim() === "") return;
  let value: unknown;
  try {
    value = parseBoundedJson(body);
  } catch (error) {
    if (error instanceof StokerError) throw error;
    throw new StokerError("bad-request", "The body is not JSON.", { issue: "structure" });
  }
  const { resourceType, parameter } = (value ?? {}) as { resourceType?: unknown; parameter?: unknown };
  const hasParameters = Array.isArray(parameter) && parameter.length > 0;
  if (resourceType === "Parameters" && !hasParameters) return;
  throw new StokerError(
    "not-supported",
    "$reindex takes no parameters: send no body, or an empty Parameters resource.",
    {
      expression: "Parameters.parameter",
    },
  );
}

function progressOf({ resources, total }: ReindexStatus): string {
  const percent = total === 0 ? 0 : Math.min(99, Math.floor((resources / total) * 100));
  return `${percent}% (${resources} of ${total} resources)`;
}

function resultOf(status: ReindexStatus): JsonObject {
  return {
    resourceType: "Parameters",
    parameter: [
      { name: "status", valueCode: "completed" },
      ...status.names.map((name) => ({ name: "searchParameter", valueReference: { reference: name } })),
      { name: "resources", valueDecimal: status.resources },
      { name: "changed", valueDecimal: status.changed },
      { name: "started", valueInstant: status.createdAt.toISOString() },
      ...(status.endedAt === undefined ? [] : [{ name: "ended", valueInstant: status.endedAt.toISOString() }]),
    ],
  };
}

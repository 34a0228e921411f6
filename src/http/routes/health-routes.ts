import type { FastifyInstance } from "fastify";
import { StokerError } from "../../base/errors.ts";
import type { DatabaseControl } from "../../postgres/control.ts";
import { checkRoom, type DiskRoom } from "../../postgres/disk-room.ts";

/** How long the database may take to answer before the server is called not ready. */
const READY_MS = 2000;

/** What tells whether a server is ready. */
export interface HealthSources {
  readonly control: Pick<DatabaseControl, "answers">;
  /** Room that must be left on the disk of an embedded PostgreSQL; undefined: the disk is another machine's matter. */
  readonly room: DiskRoom | undefined;
}

/**
 * `/health/live`: the process answers. `/health/ready`: the database answers, too, and there is room on its disk; 503 with
 * the reason otherwise.
 */
export function registerHealthRoutes(app: FastifyInstance, sources: HealthSources): void {
  app.get("/health/live", async () => ({ status: "live" }));
  app.get("/health/ready", async (_request, reply) => {
    const reason = await trouble(sources);
    if (reason === undefined) return { status: "ready" };
    return reply.code(503).header("retry-after", "1").send({ status: "not ready", reason });
  });
}

async function trouble({ control, room }: HealthSources): Promise<string | undefined> {
  if (!(await control.answers(READY_MS))) return "the database does not answer";
  if (room === undefined) return undefined;
  try {
    await checkRoom(room);
    return undefined;
  } catch (error) {
    // The folder's name is not for everybody who may ask.
    return error instanceof StokerError
      ? "the disk of the database is full"
      : "the disk of the database cannot be read";
  }
}

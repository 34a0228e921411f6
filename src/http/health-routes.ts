import type { FastifyInstance } from "fastify";
import type { Pool } from "pg";

/** How long the database may take to answer before the server is called not ready. */
const READY_MS = 2000;

/** `/health/live`: the process answers. `/health/ready`: the database answers, too; 503 otherwise. */
export function registerHealthRoutes(app: FastifyInstance, database: Pool): void {
  app.get("/health/live", async () => ({ status: "live" }));
  app.get("/health/ready", async (_request, reply) => {
    if (await answers(database)) return { status: "ready" };
    return reply
      .code(503)
      .header("retry-after", "1")
      .send({ status: "not ready", reason: "the database does not answer" });
  });
}

async function answers(database: Pool): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), READY_MS);
  });
  const asked = database.query("select 1").then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

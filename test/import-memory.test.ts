import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogger } from "../src/base/logger.ts";
import { openImportSignal, type ImportSignal } from "../src/jobs/signal.ts";
import { startWorkers, type Workers } from "../src/import/work/workers.ts";
import { idOf, input, openImportServer, registration, waitFor, type ImportServer } from "./support/import-server.ts";

/** Enough for ordinary lines. */
const HEAP_MEGABYTES = 64;

/** Two million empty objects: what a text of JSON may have, and more than the heap holds. */
const HUNGRY = `{"resourceType":"Patient","id":"hungry","name":[${"{},".repeat(900_000)}{}]}`;
const patient = (id: string): string => `{"resourceType":"Patient","id":"${id}"}`;

let server: ImportServer;
let signal: ImportSignal;
let workers: Workers;
let before: string;

beforeAll(async () => {
  server = await openImportServer();
  before = await server.file("before.ndjson", `${patient("before")}\n`);
  const logger = openLogger("silent", "test");
  signal = await openImportSignal(server.pool, logger);
  workers = startWorkers({
    count: 1,
    heapMegabytes: HEAP_MEGABYTES,
    connection: server.database.connection,
    sources: { fileRoot: dirname(fileURLToPath(before)), azureConnectionString: undefined, azureStorageUrl: undefined },
    room: undefined,
    database: server.pool,
    signal,
    logger,
  });
});

afterAll(async () => {
  await workers?.close();
  await signal?.close();
  await server?.close();
});

async function load(url: string): Promise<{ status: number; text: string }> {
  const id = idOf(await server.register(registration([input(url)])));
  const ended = await waitFor(
    async () => {
      const response = await server.status(id);
      return { status: response.status, text: await response.text() };
    },
    ({ status }) => status !== 202,
  );
  return ended;
}

describe("a line that needs more memory than a worker has", () => {
  it("ends its import with the limit and the line as the reason, once; other imports go on", async () => {
    expect((await load(before)).status).toBe(200);
    const hungry = await server.file("hungry.ndjson", `${patient("first")}\n\n${HUNGRY}\n${patient("last")}\n`);
    const { status, text } = await load(hungry);
    expect(status).toBe(413);
    const place = `at byte ${patient("first").length + 2} (line 3 of the unit that begins at byte 0)`;
    expect(text).toContain(
      `import operation failed for reason: An import worker needed more than ${HEAP_MEGABYTES} MB of memory ${place}. ` +
        `Make the resource smaller, or give the server more memory. ErrorFile: ${hungry}`,
    );
    const { rows } = await server.pool.query<{ attempts: number }>("select max(attempts) as attempts from import_unit");
    expect(rows).toEqual([{ attempts: 1 }]);
    expect((await load(await server.file("after.ndjson", `${patient("after")}\n`))).status).toBe(200);
  });
});

import { createServer } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { databaseUrl } from "../src/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../src/postgres/testing/test-database.ts";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { input, registration } from "./support/import-server.ts";
import { openWorkplace, type Workplace } from "./support/stoker-run.ts";

/** Contract 2: several servers on one database, behind one public base. */

const PUBLIC_BASE = "https://fhir.example.org/fhir";
const SERVERS = 3;
/** Identical requests sent to each server at once. */
const REQUESTS = 8;

let place: Workplace;
let database: TestDatabase;
const ports: number[] = [];

beforeAll(async () => {
  place = await openWorkplace();
  database = await createTestDatabase();
  ports.push(...(await freePorts(SERVERS)));
  await Promise.all(
    ports.map((port) =>
      place.serve({
        STOKER_DATABASE_URL: databaseUrl(database.connection),
        STOKER_PORT: String(port),
        STOKER_BASE_URL: PUBLIC_BASE,
        STOKER_WORKERS: "1",
      }),
    ),
  );
});

afterAll(async () => {
  await place?.close();
  await database?.drop();
});

test("R-020: identical POSTs to several processes at once give one job, which each of them knows", async () => {
  const file = join(place.files, "patients.ndjson");
  await writeFile(file, '{"resourceType":"Patient","id":"p1"}\n{"resourceType":"Patient","id":"p2"}\n');
  const body = JSON.stringify(registration([input(pathToFileURL(file).href)]));
  const answers = await Promise.all(
    ports.flatMap((port) =>
      Array.from({ length: REQUESTS }, async () => {
        const response = await fetch(`http://127.0.0.1:${String(port)}/fhir/$import`, {
          method: "POST",
          headers: { prefer: "respond-async", "content-type": "application/fhir+json" },
          body,
        });
        return {
          status: response.status,
          location: response.headers.get("content-location"),
          text: await response.text(),
        };
      }),
    ),
  );
  expect(answers).toEqual(Array.from({ length: SERVERS * REQUESTS }, () => ({ ...answers[0], status: 202 })));
  const location = answers[0]?.location ?? "";
  expect(location).toMatch(/^https:\/\/fhir\.example\.org\/fhir\/_operations\/import\/\d+$/);
  expect((await database.pool.query("select from import_job")).rowCount).toBe(1);

  for (const port of ports) {
    const status = location.replace(PUBLIC_BASE, `http://127.0.0.1:${String(port)}/fhir`);
    let response = await fetch(status);
    while (response.status === 202) response = await fetch(status);
    const result = (await response.json()) as { output: unknown };
    expect([response.status, result.output]).toEqual([
      200,
      [{ type: null, count: 2, inputUrl: pathToFileURL(file).href }],
    ]);
  }
});

/** Ports that nobody listens on at the moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const free = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return free;
}

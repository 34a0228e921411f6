import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder, runStoker, startStoker, type StokerProcess } from "./testing/spawn-stoker.ts";

let folder: string;
let server: StokerProcess | undefined;

beforeAll(() => {
  folder = makeFolder();
});

afterAll(async () => {
  server?.child.kill("SIGTERM");
  await server?.finished;
  rmSync(folder, { recursive: true, force: true });
});

function words(...more: string[]): string[] {
  return ["serve", "--port", "0", "--data-dir", join(folder, "data"), ...more];
}

async function start(...more: string[]): Promise<string> {
  server = startStoker(words(...more));
  return (await server.firstLine).replace(/^Stoker ready at /, "");
}

async function ids(base: string, query: string): Promise<string[]> {
  const response = await fetch(`${base}/Observation?${query}`);
  const { entry = [] } = (await response.json()) as { entry?: { resource: { id: string } }[] };
  return entry.map(({ resource }) => resource.id).toSorted();
}

function observation(id: string, effectiveDateTime: string): string {
  return JSON.stringify({ resourceType: "Observation", id, effectiveDateTime });
}

// Days of Tokyo begin at 15:00 UTC the day before.
const TOKYO = "date=ge2024-06-30T15:00:00Z&date=lt2024-06-30T15:00:01Z";

test("D-29: imports, writes by API and searches read dates in the zone that a store was made with", async () => {
  const base = await start("--time-zone", "Asia/Tokyo", "--file-root", folder);
  const written = await fetch(`${base}/Observation/written`, {
    method: "PUT",
    headers: { "content-type": "application/fhir+json" },
    body: observation("written", "2024-07-01"),
  });
  expect(written.status).toBe(201);
  const file = join(folder, "observations.ndjson");
  writeFileSync(file, `${observation("imported", "2024-07-01")}\n${observation("later", "2024-07-01T15:00:00Z")}\n`);
  expect(await runStoker(["import", file, "--server", base])).toMatchObject({ code: 0 });
  expect(await ids(base, TOKYO)).toEqual(["imported", "written"]);
  expect(await ids(base, "date=2024-07-01")).toEqual(["imported", "written"]);
  expect(await ids(base, "date=2024-07-02")).toEqual(["later"]);
  server?.child.kill("SIGTERM");
  await server?.finished;

  const refused = await runStoker(words("--time-zone", "Europe/Berlin", "--log-level", "warn"));
  expect(refused.code).toBe(2);
  expect(refused.stdout).toBe("");
  expect(refused.stderr.trimEnd()).toMatch(/^stoker: STOKER_TIME_ZONE: .*Asia\/Tokyo.*$/);

  const again = await start();
  expect(await ids(again, "date=2024-07-01")).toEqual(["imported", "written"]);
}, 120_000);

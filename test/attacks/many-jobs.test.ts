import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { harmOf, openCappedServer, type CappedServer } from "../support/capped-server.ts";
import { kickOff } from "../support/exports.ts";

/** Attacks by jobs that run in the background, against a server of 1 GB. */

let server: CappedServer;
let files: string;
beforeAll(async () => {
  files = await realpath(await mkdtemp(join(tmpdir(), "stoker-jobs-")));
  server = await openCappedServer({ STOKER_IMPORT_MAX_OPEN: "20", STOKER_FILE_ROOT: files });
  for (let bundle = 0; bundle < 4; bundle++) await store(bundle);
});
afterAll(async () => {
  await server?.close();
  await rm(files, { recursive: true, force: true });
});

/** Stores a thousand patients, so that an export has something to do. */
async function store(bundle: number): Promise<void> {
  const entry = Array.from({ length: 1000 }, (_, at) => ({
    resource: { resourceType: "Patient", id: `p${String(bundle)}-${String(at)}`, name: [{ text: "x".repeat(2000) }] },
    request: { method: "PUT", url: `Patient/p${String(bundle)}-${String(at)}` },
  }));
  const response = await fetch(server.base, {
    method: "POST",
    headers: { "content-type": "application/fhir+json" },
    body: JSON.stringify({ resourceType: "Bundle", type: "transaction", entry }),
  });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
}

/** How often each status came; a refusal must say when to try again. */
async function statuses(answers: Iterable<Promise<Response>>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const answer of await Promise.all(answers)) {
    await answer.arrayBuffer();
    counts[answer.status] = (counts[answer.status] ?? 0) + 1;
    if (answer.status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  }
  return counts;
}

describe("a server of 1 GB", () => {
  test("takes no more of 40 exports at once than may wait or run, and carries those out", async () => {
    const locations: string[] = [];
    const worst = await server.during(async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => kickOff(server.base, "$export")));
      for (const { headers } of answers) locations.push(...[headers.get("content-location") ?? []].flat());
      const counts = await statuses(answers.map((answer) => Promise.resolve(answer)));
      expect(Object.keys(counts)).toEqual(["202", "429"]);
      // One may have ended before the last was asked for.
      expect(counts["202"]).toBeLessThanOrEqual(15);
      for (const location of locations.splice(3)) await fetch(location, { method: "DELETE" });
      for (const location of locations) {
        while ((await fetch(location)).status === 202) await new Promise((resolve) => setTimeout(resolve, 200));
        const { output } = (await (await fetch(location)).json()) as { output: { count: number }[] };
        expect(output.map(({ count }) => count)).toEqual([4000]);
      }
    });
    expect(harmOf(worst)).toEqual([]);
  });

  test("bears 200 exports that are asked for and deleted at once", async () => {
    const worst = await server.during(async () => {
      for (let round = 0; round < 5; round++) {
        const ended = Array.from({ length: 40 }, async () => {
          const answer = await kickOff(server.base, "$export");
          const location = answer.headers.get("content-location");
          if (location === null) return answer;
          await answer.arrayBuffer();
          return await fetch(location, { method: "DELETE" });
        });
        const counts = await statuses(ended);
        expect(Object.keys(counts).every((status) => status === "202" || status === "429")).toBe(true);
      }
    });
    expect(harmOf(worst)).toEqual([]);
  });

  test("takes no more of 100 imports at once than may wait or run", async () => {
    const worst = await server.during(async () => {
      const file = join(files, "Patient.ndjson");
      await writeFile(file, '{"resourceType":"Patient","id":"imported"}\n');
      const counts = await statuses(
        Array.from({ length: 100 }, (_, at) =>
          fetch(`${server.base}/$import`, {
            method: "POST",
            headers: { prefer: "respond-async", "content-type": "application/fhir+json" },
            body: JSON.stringify({
              resourceType: "Parameters",
              parameter: [
                { name: "inputFormat", valueString: "application/fhir+ndjson" },
                { name: "mode", valueString: "IncrementalLoad" },
                { name: "processingUnitBytesToRead", valueInteger: 1000 + at },
                { name: "input", part: [{ name: "url", valueUri: `file://${file}` }] },
              ],
            }),
          }),
        ),
      );
      expect(counts["202"] ?? 0).toBeGreaterThanOrEqual(20);
      expect(Object.keys(counts).every((status) => status === "202" || status === "429")).toBe(true);
    });
    expect(harmOf(worst)).toEqual([]);
  });

  test("makes one job of 200 requests for a reindex", async () => {
    const worst = await server.during(async () => {
      const counts = await statuses(
        Array.from({ length: 200 }, () => fetch(`${server.base}/$reindex`, { method: "POST" })),
      );
      expect(counts).toEqual({ "202": 200 });
    });
    expect(harmOf(worst)).toEqual([]);
  });
});

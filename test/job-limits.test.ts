import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportOutcome, kickOff, runExport } from "./support/exports.ts";
import { openFullServer, type FullServer, type ImportOptions, type Json } from "./support/full-server.ts";

/** Limits of exports, imports and reindexes: how many, for how long, with how much room (docs/configuration.md). */

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer({
    environment: {
      STOKER_EXPORT_MAX_OPEN: "2",
      STOKER_IMPORT_MAX_OPEN: "2",
      STOKER_JOB_MAX_HOURS: "5",
      STOKER_JOB_EXPIRY: "0.001",
    },
  });
});
afterAll(() => server.close());

/** What a refusal says. */
async function refusal(response: Response): Promise<[number, string | null, string, string]> {
  const { issue } = (await response.json()) as Json;
  return [response.status, response.headers.get("retry-after"), issue[0].code, issue[0].diagnostics];
}

/** Does the work while a table is locked, on which jobs wait. */
async function whileLocked(table: string, work: () => Promise<void>): Promise<void> {
  const client = await server.database.pool.connect();
  try {
    await client.query(`begin; lock table ${table} in access exclusive mode`);
    await work();
  } finally {
    await client.query("rollback");
    client.release();
  }
}

describe("exports", () => {
  it("that are more than may wait or run are a 429, until one has ended; an old one is ended", async () => {
    const locations: string[] = [];
    await whileLocked("body_block", async () => {
      for (let at = 0; at < 2; at++) {
        const accepted = await kickOff(server.base, "$export?_type=Patient");
        expect(accepted.status).toBe(202);
        locations.push(accepted.headers.get("content-location") ?? "");
      }
      const [, second = ""] = locations;
      expect(await refusal(await kickOff(server.base, "Patient/$export"))).toEqual([
        429,
        "30",
        "throttled",
        "There are 2 exports waiting or running, and at most 2 may (STOKER_EXPORT_MAX_OPEN): try again when one has ended.",
      ]);
      expect((await fetch(second, { method: "DELETE" })).status).toBe(202);
      const third = await kickOff(server.base, "$export?_type=Patient");
      expect(third.status).toBe(202);
      const old = third.headers.get("content-location") ?? "";
      await server.database.pool.query(
        "update export_job set created_at = created_at - interval '6 hours' where id = $1",
        [old.slice(old.lastIndexOf("/") + 1)],
      );
      // Looked for when an export is asked for, or deleted.
      const another = await kickOff(server.base, "$export?_type=Patient").then((answer) => answer.status);
      expect([202, 429]).toContain(another);
      const { status, body } = await exportOutcome(old);
      expect(status).toBe(500);
      expect(body.issue[0].diagnostics).toBe(
        "export operation failed for reason: the export was not finished after 5 hours (STOKER_JOB_MAX_HOURS).",
      );
    });
    expect((await exportOutcome(locations[0] ?? "")).status).toBe(200);
  });

  it("are removed with their files when their time is over, which Expires tells", async () => {
    const done = await runExport(server.base, "$export?_type=Patient");
    const expires = Date.parse(done.headers.get("expires") ?? "");
    expect(Math.abs(expires - Date.now() - 3600)).toBeLessThan(60_000);
    while ((await fetch(done.location)).status !== 404) await sleep(100);
    const id = done.location.slice(done.location.lastIndexOf("/") + 1);
    const folder = join(server.folder, ".stoker", "exports");
    while ((await readdir(folder)).some((name) => name.startsWith(`${id}-`))) await sleep(100);
  });
});

/** Registers an import, which must be accepted; gives the address of its status. */
async function accepted(options: ImportOptions): Promise<string> {
  const answer = await server.register(options);
  expect(answer.status).toBe(202);
  return answer.headers.get("content-location") ?? "";
}

describe("imports", () => {
  it("that are more than may wait or run are a 429; the same one again is found; an old one is ended", async () => {
    const inputs = [await server.file("Patient.ndjson", '{"resourceType":"Patient","id":"a"}\n')];
    let first = "";
    let second = "";
    await whileLocked("import_unit", async () => {
      first = await accepted({ inputs });
      second = await accepted({ inputs, unitBytes: 1000 });
      expect(await refusal(await server.register({ inputs, unitBytes: 2000 }))).toEqual([
        429,
        "30",
        "throttled",
        "There are 2 imports waiting or running, and at most 2 may (STOKER_IMPORT_MAX_OPEN): try again when one has ended.",
      ]);
      const again = await server.register({ inputs });
      expect(again.headers.get("content-location")).toBe(first);
      // Held by a planner that has gone away.
      await server.database.pool.query(
        `update import_job set created_at = created_at - interval '6 hours', fence = fence + 1,
           lease_until = clock_timestamp() + interval '1 hour' where id = $1`,
        [second.slice(second.lastIndexOf("/") + 1)],
      );
    });
    expect((await server.outcome(first)).status).toBe(200);
    const { status, body } = await server.outcome(second);
    expect([status, body.issue[0].diagnostics]).toEqual([
      500,
      "import operation failed for reason: the import was not finished after 5 hours (STOKER_JOB_MAX_HOURS).",
    ]);
  });
});

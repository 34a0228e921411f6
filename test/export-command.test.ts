import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, runStoker, startStoker } from "../src/cli/testing/spawn-stoker.ts";
import { openFullServer, type FullServer, type Json } from "./support/full-server.ts";
import { openTcpProxy, type TcpProxy } from "./support/tcp-proxy.ts";

/** `stoker export` against a server whose connections break, as networks do. */

const PATIENTS = 4000;

let proxy: TcpProxy;
let server: FullServer;
let folder: string;

beforeAll(async () => {
  folder = makeFolder();
  const port = await freePort();
  proxy = await openTcpProxy(port);
  server = await openFullServer({
    environment: { STOKER_PORT: String(port), STOKER_BASE_URL: `http://127.0.0.1:${String(proxy.port)}/fhir` },
  });
  const patients = Array.from({ length: PATIENTS }, (_, at) =>
    JSON.stringify({ resourceType: "Patient", id: `p${String(at)}`, name: [{ text: "é".repeat(1000) }] }),
  );
  const basics = ["a", "b"].map((id) => JSON.stringify({ resourceType: "Basic", id, code: { text: id } }));
  const file = await server.file("all.ndjson", `${[...patients, ...basics].join("\n")}\n`);
  expect((await server.load({ inputs: [file] })).body.error).toEqual([]);
});
afterAll(async () => {
  await server?.close();
  await proxy?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function words(out: string, ...more: string[]): string[] {
  return ["export", "--server", server.base, "--out", out, ...more];
}

/** Runs an export and gives its exit code, and what it printed as JSON. */
async function exportJson(
  out: string,
  ...more: string[]
): Promise<{ code: number | null; report: Json; stderr: string }> {
  const { code, stdout, stderr } = await runStoker(words(out, "--json", ...more));
  return { code, report: stdout === "" ? undefined : JSON.parse(stdout), stderr };
}

function idsIn(...path: string[]): string[] {
  const lines = readFileSync(join(...path), "utf8").split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => JSON.parse(line).id as string).toSorted();
}

const ALL_IDS = Array.from({ length: PATIENTS }, (_, at) => `p${String(at)}`).toSorted();

describe("stoker export", () => {
  it("fetches all files over connections that break, each from where the last one broke off", async () => {
    const out = join(folder, "broken");
    proxy.breakAfter = Array.from({ length: 40 }, () => 2_000_000);
    const { code, report, stderr } = await exportJson(out);
    expect(code, stderr).toBe(0);
    // A file of more than 8 MB would never be whole if it began anew.
    expect(proxy.breakAfter.length).toBeLessThan(38);
    expect(proxy.breakAfter.length).toBeGreaterThan(0);
    proxy.breakAfter = [];
    expect(report).toMatchObject({
      state: "completed",
      resumed: false,
      removed: true,
      problems: [],
      output: [
        { type: "Basic", name: "Basic-1.ndjson", lines: 2, count: 2 },
        { type: "Patient", name: "Patient-1.ndjson", lines: PATIENTS, count: PATIENTS },
      ],
      deleted: [],
      error: [],
    });
    expect(idsIn(out, "Patient-1.ndjson")).toEqual(ALL_IDS);
    expect(idsIn(out, "Basic-1.ndjson")).toEqual(["a", "b"]);
    const { size } = statSync(join(out, "Patient-1.ndjson"));
    expect(report.output[1].bytes).toBe(size);
    expect(readdirSync(out).toSorted()).toEqual(["Basic-1.ndjson", "Patient-1.ndjson", "stoker-export.json"]);
    const state: Json = JSON.parse(readFileSync(join(out, "stoker-export.json"), "utf8"));
    expect((await fetch(state.location)).status, "the server was told to remove it").toBe(404);
  });

  it("that was interrupted is taken up by the same command", async () => {
    const out = join(folder, "interrupted");
    proxy.breakAfter = Array.from({ length: 100 }, () => 600_000);
    const { child, finished } = startStoker(words(out, "--json", "--type", "Patient,Basic", "--keep"));
    const part = join(out, "Patient-1.ndjson.part");
    while (!existsSync(part) || statSync(part).size === 0) await sleep(20);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await finished;
    expect([code, stdout]).toEqual([2, '{"state":"broken off"}\n']);
    expect(stderr).toBe("the export was interrupted; the server continues with it, and the same command resumes it\n");
    const had = statSync(part).size;
    expect(had).toBeLessThan(8_000_000);
    proxy.breakAfter = [];

    const other = await exportJson(out, "--type", "Basic");
    expect([other.code, other.stderr]).toEqual([
      2,
      `stoker: ${out} holds the beginning of another export, of ${server.base}; choose another folder with --out\n`,
    ]);
    const before = proxy.passed;
    const { report, ...again } = await exportJson(out, "--type", "Basic", "--type", "Patient", "--keep");
    expect(again.code, again.stderr).toBe(0);
    expect(report).toMatchObject({ state: "completed", resumed: true, removed: false });
    expect(idsIn(out, "Patient-1.ndjson")).toEqual(ALL_IDS);
    expect(proxy.passed - before).toBeLessThan(statSync(join(out, "Patient-1.ndjson")).size - had + 100_000);

    const third = await exportJson(out, "--type", "Basic,Patient");
    expect([third.code, third.stderr]).toEqual([
      2,
      `stoker: ${out} holds a finished export, of ${String(report.transactionTime)}; choose another folder with --out\n`,
    ]);
  });

  it("overwrites no file that it did not bring", async () => {
    const out = join(folder, "foreign");
    mkdirSync(out);
    writeFileSync(join(out, "Patient-1.ndjson"), "mine");
    const { code, stderr } = await exportJson(out, "--type", "Patient");
    expect(code).toBe(2);
    expect(stderr).toMatch(/Patient-1\.ndjson already exists and is not from this export; nothing is overwritten/);
    expect(readFileSync(join(out, "Patient-1.ndjson"), "utf8")).toBe("mine");
  });

  it("with --since brings what has changed, and what was deleted, and says so to people", async () => {
    const first = await exportJson(join(folder, "first"), "--type", "Basic");
    const since = first.report.transactionTime as string;
    const headers = { "content-type": "application/fhir+json" };
    const body = JSON.stringify({ resourceType: "Basic", id: "c", code: { text: "c" } });
    expect((await fetch(`${server.base}/Basic/c`, { method: "PUT", headers, body })).status).toBe(201);
    expect((await fetch(`${server.base}/Basic/a`, { method: "DELETE" })).status).toBe(204);
    const out = join(folder, "changes");
    const { code, stdout, stderr } = await runStoker(words(out, "--type", "Basic", "--since", since));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^1 resources? in [\d.]+ s, \d+ B\n/);
    expect(stdout).toMatch(/\nBasic +1 +1 +\d+ B\ndeletions +1 +1 +\d+ B\n/);
    expect(stdout).toContain(`The files are in ${out}, of `);
    expect(stdout).toMatch(/stoker export --server \S+\/fhir --since \S+Z --out ANOTHER-FOLDER/);
    expect(idsIn(out, "Basic-1.ndjson")).toEqual(["c"]);
    expect(readFileSync(join(out, "deleted-Bundle-1.ndjson"), "utf8")).toContain('"url":"Basic/a"');
  });

  it("of a server that is not there, or has no export, says so in one line", async () => {
    const away = await runStoker(["export", "--out", join(folder, "x"), "--server", "http://127.0.0.1:9/fhir"]);
    expect([away.code, away.stdout]).toEqual([2, ""]);
    expect(away.stderr).toMatch(/^stoker: No server answers at http:\/\/127\.0\.0\.1:9\/fhir \([^\n]+\n$/);
    const wrong = await runStoker(["export", "--out", join(folder, "x"), "--server", server.base.replace("/fhir", "")]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/^stoker: [^\n]+\(--server takes the FHIR base of a server, such as [^\n]+\)\n$/);
  });
});

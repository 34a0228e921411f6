import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openFullServer, type FullServer, type Json } from "./support/full-server.ts";

let server: FullServer;

beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server.close());

const IDS = Array.from({ length: 144 }, (_, index) => `both-${index}`);
const IMPORTS = 5;
/** Each a process of its own, with several requests at once. */
const CLIENTS = 3;
const LINES_PER_FILE = 24;

function patient(id: string, family: string): string {
  return JSON.stringify({ resourceType: "Patient", id, name: [{ family }] });
}

function send(method: string, path: string, body: string): Promise<Response> {
  return fetch(`${server.base}${path}`, { method, body, headers: { "content-type": "application/fhir+json" } });
}

/** What the history must have of a write that was answered with success. */
interface Written {
  readonly id: string;
  readonly version: number;
  /** The family; of a deletion null. */
  readonly family: string | null;
}

/** Starts a client that writes at full speed; the function stops it and gives what it wrote. */
async function startClient(client: number): Promise<() => Promise<Written[]>> {
  const script = fileURLToPath(new URL("./support/api-client.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, server.base, String(client), ...IDS], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const said: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => said.push(text));
  const closed = once(child, "close");
  while (said.length === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
  return async () => {
    child.stdin.end();
    await closed;
    expect(child.exitCode).toBe(0);
    const lines = said.join("").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as Written);
  };
}

it(
  "updates, deletions and transactions of several clients during imports of the same resources: nothing lost, no gap",
  { timeout: 180_000 },
  async () => {
    const stops = await Promise.all(Array.from({ length: CLIENTS }, (_, client) => startClient(client)));
    for (let round = 0; round < IMPORTS; round++) {
      const inputs: string[] = [];
      for (let from = 0; from < IDS.length; from += LINES_PER_FILE) {
        const lines = IDS.slice(from, from + LINES_PER_FILE).map((id) => patient(id, `import-${round}`));
        inputs.push(await server.file(`round-${round}-${from}.ndjson`, lines.join("\n")));
      }
      const { status, body } = await server.load({ inputs });
      expect([status, body.error]).toEqual([200, []]);
      const { loaded, created, updated, unchanged, deleted } = body.stoker;
      expect([loaded, created + updated, unchanged, deleted]).toEqual([IDS.length, IDS.length, 0, 0]);
    }
    const written = (await Promise.all(stops.map((stop) => stop()))).flat();
    expect(written.length).toBeGreaterThan(CLIENTS);

    const histories = new Map<string, Map<number, string | null>>();
    for (const id of IDS) {
      const history: Json = await server.json(`Patient/${id}/_history?_count=1000`);
      const versions = new Map<number, string | null>();
      const numbers: number[] = [];
      const dates: number[] = [];
      for (const { request, response, resource } of history.entry) {
        const version = Number(/\d+/.exec(response.etag)?.[0]);
        numbers.push(version);
        dates.push(Date.parse(response.lastModified));
        versions.set(version, request.method === "DELETE" ? null : resource.name[0].family);
      }
      expect(numbers, "no gap").toEqual(numbers.map((_, index) => numbers.length - index));
      expect(dates, "later versions have later dates").toEqual([...new Set(dates)].toSorted((a, b) => b - a));
      histories.set(id, versions);
      const current = versions.get(numbers.length);
      const found = current === null ? [] : [`Patient/${id}`];
      expect(await server.search(`Patient?_id=${id}`)).toEqual(found);
      if (current !== null) expect(await server.search(`Patient?_id=${id}&family=${current ?? ""}`)).toEqual(found);
    }
    for (const { id, version, family } of written) {
      expect({ id, version, family }).toEqual({ id, version, family: histories.get(id)?.get(version) });
    }
    // A deletion of what is deleted makes no version: it answers with the one that is there.
    const apiVersions = new Set(written.map(({ id, version }) => `${id} ${version}`)).size;
    const all = [...histories.values()].flatMap((versions) => [...versions.values()]);
    expect(all).toHaveLength(apiVersions + IDS.length * IMPORTS);
    for (let round = 0; round < IMPORTS; round++) {
      expect(all.filter((family) => family === `import-${round}`)).toHaveLength(IDS.length);
    }
  },
);

it("a deletion by the API and a bare line of an import: live again as the next version (C-124)", async () => {
  await send("PUT", "/Patient/c124", patient("c124", "Alder"));
  expect((await fetch(`${server.base}/Patient/c124`, { method: "DELETE" })).status).toBe(204);
  const url = await server.file("c124.ndjson", patient("c124", "Alder"));
  expect((await server.load({ inputs: [url] })).status).toBe(200);
  const current: Json = await server.json("Patient/c124");
  expect(current.meta.versionId).toBe("3");
});

it("a bare line with the content that the API stored is no new version (C-094)", async () => {
  await send("PUT", "/Patient/c094", patient("c094", "Alder"));
  const url = await server.file("c094.ndjson", patient("c094", "Alder"));
  expect((await server.load({ inputs: [url] })).body.stoker.unchanged).toBe(1);
  const current: Json = await server.json("Patient/c094");
  expect(current.meta.versionId).toBe("1");
});

it("an update after an import whose date lies ahead gets a later date (contract 5.3)", async () => {
  const lastUpdated = new Date(Date.now() + 8000).toISOString();
  const line = JSON.stringify({ resourceType: "Patient", id: "ahead", meta: { lastUpdated } });
  await server.load({ inputs: [await server.file("ahead.ndjson", line)] });
  const answer = await send("PUT", "/Patient/ahead", patient("ahead", "Alder"));
  const body: Json = await answer.json();
  expect(body.meta.versionId).toBe("2");
  expect(Date.parse(body.meta.lastUpdated)).toBeGreaterThan(Date.parse(lastUpdated));
});

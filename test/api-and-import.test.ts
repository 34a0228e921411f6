import { afterAll, beforeAll, expect, it } from "vitest";
import { openFullServer, type FullServer, type Json } from "./support/full-server.ts";

let server: FullServer;

beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server.close());

const IDS = Array.from({ length: 60 }, (_, index) => `both-${index}`);
const IMPORTS = 4;

function patient(id: string, family: string): string {
  return JSON.stringify({ resourceType: "Patient", id, name: [{ family }] });
}

/** Updates, deletions and transactions, one after the other, until told to stop; counts the versions they made. */
async function write(client: number, made: Map<string, number>, isDone: () => boolean): Promise<void> {
  const count = (id: string): void => void made.set(id, (made.get(id) ?? 0) + 1);
  for (let turn = 0; !isDone(); turn++) {
    const id = IDS[(client * 17 + turn * 7) % IDS.length] ?? "";
    if (turn % 5 === 4) {
      const pair = [id, IDS[(client * 5 + turn) % IDS.length] ?? ""].filter(
        (one, index, all) => all.indexOf(one) === index,
      );
      const entry = pair.map((one) => ({
        resource: JSON.parse(patient(one, `t${client}-${turn}`)) as unknown,
        request: { method: "PUT", url: `Patient/${one}` },
      }));
      const body = JSON.stringify({ resourceType: "Bundle", type: "transaction", entry });
      const answer = await send("POST", "", body);
      expect(answer.status).toBe(200);
      for (const one of pair) count(one);
    } else {
      const answer = await send("PUT", `/Patient/${id}`, patient(id, `c${client}-${turn}`));
      expect([200, 201]).toContain(answer.status);
      count(id);
    }
  }
}

function send(method: string, path: string, body: string): Promise<Response> {
  return fetch(`${server.base}${path}`, { method, body, headers: { "content-type": "application/fhir+json" } });
}

it("imports and API writes of the same resources lose nothing and leave no gap", async () => {
  const made = new Map<string, number>();
  let isDone = false;
  const clients = [1, 2, 3].map((client) => write(client, made, () => isDone));
  let written = 0;
  for (let round = 0; round < IMPORTS; round++) {
    const lines = IDS.map((id) => patient(id, `import-${round}`)).join("\n");
    const url = await server.file(`round-${round}.ndjson`, lines);
    const { status, body } = await server.load({ inputs: [url], unitBytes: 1000 });
    expect([status, body.error]).toEqual([200, []]);
    written += body.stoker.created + body.stoker.updated;
    expect(body.stoker.unchanged).toBe(0);
  }
  isDone = true;
  await Promise.all(clients);

  let versions = 0;
  for (const id of IDS) {
    const history: Json = await server.json(`Patient/${id}/_history?_count=1000`);
    const numbers = history.entry.map(({ resource }: Json) => Number(resource.meta.versionId));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => numbers.length - index));
    expect(numbers).toHaveLength((made.get(id) ?? 0) + IMPORTS);
    const dates = history.entry.map(({ resource }: Json) => Date.parse(resource.meta.lastUpdated));
    expect(new Set(dates).size).toBe(dates.length);
    const current: Json = await server.json(`Patient/${id}`);
    expect(await server.search(`Patient?_id=${id}&family=${current.name[0].family}`)).toEqual([`Patient/${id}`]);
    expect(await server.search(`Patient?_id=${id}`)).toEqual([`Patient/${id}`]);
    versions += numbers.length;
  }
  const apiWrites = [...made.values()].reduce((sum, count) => sum + count, 0);
  expect(written).toBe(IDS.length * IMPORTS);
  expect(versions).toBe(apiWrites + written);
});

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

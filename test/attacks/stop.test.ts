import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkplace, type StokerRun, type Workplace } from "../support/stoker-run.ts";

/** A server that is asked to stop while 2,000 writes wait. */

/** How long a stop may take: what is left after it is killed by those who supervise processes. */
const STOPPED_WITHIN_MS = 10_000;

let place: Workplace;
let server: StokerRun;
beforeAll(async () => {
  place = await openWorkplace();
  server = await place.serve({ STOKER_WORKERS: "1", STOKER_LOG_LEVEL: "error" });
});
afterAll(async () => {
  await place?.close();
});

/** What a write has to have stored, by reference: all of it, when it was acknowledged, and all or nothing otherwise. */
interface Attempt {
  readonly references: readonly string[];
  status: number;
}

async function write(method: string, path: string, body: object, references: string[]): Promise<Attempt> {
  const headers = { "content-type": "application/fhir+json" };
  try {
    const response = await fetch(`${server.base}${path}`, { method, headers, body: JSON.stringify(body) });
    const attempt = { references, status: response.status };
    await response.arrayBuffer();
    return attempt;
  } catch {
    return { references, status: 0 };
  }
}

function patient(id: string): object {
  return { resourceType: "Patient", id, name: [{ family: id }] };
}

/** A PUT, or a transaction with two of them. */
async function attempt(number: number): Promise<Attempt> {
  const [one, other] = [`s${String(number)}`, `t${String(number)}`];
  if (number % 2 === 0) return await write("PUT", `/Patient/${one}`, patient(one), [one]);
  const entry = [one, other].map((id) => ({
    resource: patient(id),
    request: { method: "PUT", url: `Patient/${id}` },
  }));
  return await write("POST", "", { resourceType: "Bundle", type: "transaction", entry }, [one, other]);
}

test("ends in time; every write that was acknowledged is stored, and none by halves", async () => {
  const writes = Array.from({ length: 2000 }, (_, number) => attempt(number));
  // Some are done, and most are not.
  await Promise.any(writes.map((each) => each.then(({ status }) => (status < 300 ? status : Promise.reject(status)))));
  await sleep(100);
  const begun = performance.now();
  expect(await server.end("SIGTERM"), server.said()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(STOPPED_WITHIN_MS);
  const attempts = await Promise.all(writes);
  expect(
    [...new Set(attempts.map(({ status }) => status))].filter((each) => ![0, 200, 201, 503].includes(each)),
  ).toEqual([]);
  const acknowledged = attempts.filter(({ status }) => status === 200 || status === 201);
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(acknowledged.length).toBeLessThan(2000);

  server = await place.serve({ STOKER_WORKERS: "1", STOKER_LOG_LEVEL: "error" });
  const stored = await storedIds();
  expect(acknowledged.flatMap(({ references }) => references).filter((id) => !stored.has(id))).toEqual([]);
  const halves = attempts.filter(({ references: [one = "", other = one] }) => stored.has(one) !== stored.has(other));
  expect(halves).toEqual([]);
});

/** The ids of all patients, which a search finds by the name that they have: what is stored is indexed, too. */
async function storedIds(): Promise<Set<string>> {
  const ids = new Set<string>();
  let next: string | undefined = `${server.base}/Patient?family:missing=false&_count=1000`;
  while (next !== undefined) {
    const page = (await (await fetch(next)).json()) as {
      entry?: { resource: { id: string; name: { family: string }[] } }[];
      link: { relation: string; url: string }[];
    };
    for (const { resource } of page.entry ?? []) {
      expect(resource.name[0]?.family).toBe(resource.id);
      ids.add(resource.id);
    }
    next = page.link.find(({ relation }) => relation === "next")?.url;
  }
  return ids;
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databaseUrl } from "../src/bench/databases.ts";
import { typeIdOfKey } from "../src/fhir/resource-key.ts";
import { resourceTypeId } from "../src/fhir/resource-types.ts";
import { createTestDatabase, type TestDatabase } from "../src/postgres/testing/test-database.ts";
import { exportedLines, namesOf, runExport } from "./support/exports.ts";
import type { Json } from "./support/full-server.ts";
import { importFiles, startServer, type StokerServer } from "./support/stoker-process.ts";

/**
 * Ids whose hashes share a key, on every path. Two servers work on a store whose keys have 12 bits of the hash, so that hundreds
 * of ids share one; a third works on a store with whole keys, and is told and asked the same. All answers must be the same.
 */
const KEY_BITS = 12;
const PATIENTS = 900;

let folder: string;
const databases: TestDatabase[] = [];
/** The first two share the store with short keys. */
let servers: StokerServer[] = [];
let settings: { cut: Record<string, string>; whole: Record<string, string> };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-identity-"));
  const [cut, whole] = [await createTestDatabase(), await createTestDatabase()];
  databases.push(cut, whole);
  await cut.pool.query("update hash_key set key_bits = $1", [KEY_BITS]);
  // Servers on one store share a folder, so that each hands out what the other has exported.
  const settingsOf = (database: TestDatabase, name: string): Record<string, string> => ({
    STOKER_DATABASE_URL: databaseUrl(database.connection),
    STOKER_DATA_DIR: join(folder, name),
    STOKER_WORKERS: "2",
  });
  settings = { cut: settingsOf(cut, "cut"), whole: settingsOf(whole, "whole") };
  servers = [
    await startServer(folder, settings.cut),
    await startServer(folder, settings.cut),
    await startServer(folder, settings.whole),
  ];
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await Promise.all(databases.map((database) => database.drop()));
  await rm(folder, { recursive: true, force: true });
});

function server(number: number): StokerServer {
  const found = servers[number];
  if (found === undefined) throw new RangeError(`no server ${number}`);
  return found;
}

async function load(mode: "InitialLoad" | "IncrementalLoad", name: string, resources: readonly Json[]): Promise<void> {
  const path = join(folder, `${name}.ndjson`);
  await writeFile(path, resources.map((resource) => `${JSON.stringify(resource)}\n`).join(""));
  const type = resources[0].resourceType as string;
  for (const each of [server(0), server(2)]) {
    const outcome = await importFiles(each.base, mode, [{ type, url: pathToFileURL(path).href }]);
    expect(outcome.error).toEqual([]);
    expect(outcome.output.reduce((sum, { count }) => sum + count, 0)).toBe(resources.length);
  }
}

/** The same request to a server of each store. `first`: which of those with the store of short keys. */
async function send(
  method: string,
  path: string,
  body?: Json,
  headers: Record<string, string> = {},
  first = 0,
): Promise<Json[]> {
  const answers: Json[] = [];
  for (const each of [server(first), server(2)]) {
    const response = await fetch(`${each.base}/${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/fhir+json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    answers.push({ status: response.status, body: text === "" ? undefined : JSON.parse(text) });
  }
  expect(answers[0].status).toBe(answers[1].status);
  return answers;
}

/** What an answer says of resources: which ones, in which version, as what; over all pages. */
async function resourcesIn(base: string, path: string): Promise<string[]> {
  const found: string[] = [];
  let next: string | undefined = `${base}/${path}`;
  while (next !== undefined) {
    const response: Response = await fetch(next);
    const bundle: Json = await response.json();
    if (response.status !== 200) return [`${response.status}`];
    if (bundle.resourceType !== "Bundle") return [`${bundle.resourceType}/${bundle.id} ${bundle.meta.versionId}`];
    if (bundle.total !== undefined && /_summary=count|_total=|_history/.test(path)) found.push(`total ${bundle.total}`);
    for (const { resource, search, request } of bundle.entry ?? []) {
      const what = resource === undefined ? "" : `${resource.resourceType}/${resource.id} ${resource.meta?.versionId}`;
      found.push(`${what} ${search?.mode ?? ""}${request === undefined ? "" : `${request.method} ${request.url}`}`);
    }
    next = bundle.link?.find(({ relation }: Json) => relation === "next")?.url;
  }
  return found.map((line) => line.replace(MADE_UP, "made up")).toSorted();
}

/** Asks all servers, and returns what the last one says; the others must say the same. */
async function asked(path: string): Promise<string[]> {
  const [first, second, whole = []] = await Promise.all(servers.map(({ base }) => resourcesIn(base, path)));
  expect(first, path).toEqual(whole);
  expect(second, path).toEqual(whole);
  return whole;
}

async function displaced(): Promise<{ hashed: bigint; id: string }[]> {
  const { rows } = await (databases[0] as TestDatabase).pool.query<{ hashed: bigint; id: string }>(
    "select hashed, id from displaced_id order by id",
  );
  return rows;
}

/** What all servers export, as the last one does; the others must export the same. */
async function exportedNames(path: string): Promise<string[]> {
  const [first, second, whole = []] = await Promise.all(
    servers.map(async ({ base }) =>
      namesOf(await exportedLines(await runExport(base, path)))
        .filter((name) => !MADE_UP.test(name))
        .toSorted(),
    ),
  );
  expect(first, path).toEqual(whole);
  expect(second, path).toEqual(whole);
  return whole;
}

function patient(number: number, more: Json = {}): Json {
  return {
    resourceType: "Patient",
    id: `p${number}`,
    identifier: [{ system: "urn:x", value: `mrn-${number}` }],
    name: [{ family: `Family${number}` }],
    ...more,
  };
}

function observation(name: string, number: number, more: Json = {}): Json {
  return {
    resourceType: "Observation",
    id: `${name}${number}`,
    status: "final",
    code: { coding: [{ system: "urn:codes", code: `c${number % 7}` }] },
    subject: { reference: `Patient/p${number}` },
    ...more,
  };
}

/** Each store has made up ids of its own. */
const MADE_UP = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

const numbers = Array.from({ length: PATIENTS }, (_, number) => number);

function isPatient({ hashed }: { hashed: bigint }): boolean {
  return typeIdOfKey(hashed) === resourceTypeId("Patient");
}

/** Patients of which some share their keys with others, and some do not. */
async function interesting(): Promise<string[]> {
  const rows = await displaced();
  const ids = rows
    .filter(isPatient)
    .map(({ id }) => id)
    .filter((id) => /^p\d+$/.test(id));
  expect(ids.length).toBeGreaterThan(30);
  const keys = new Set(rows.filter(isPatient).map(({ hashed }) => hashed));
  const { rows: owners } = await (databases[0] as TestDatabase).pool.query<{ id: string }>(
    "select id from resource_current where key = any($1::bigint[]) and id ~ '^p[0-9]+$'",
    [[...keys]],
  );
  return [...ids.slice(0, 8), ...owners.slice(0, 5).map(({ id }) => id)];
}

describe("two ids with one key", () => {
  it("are stored by imports in both modes, with references that were there before them", async () => {
    await load(
      "IncrementalLoad",
      "before",
      numbers.map((number) => observation("before", number)),
    );
    // One that is contained, one that is a URL of another server, one of a composite, one in a Group.
    await load(
      "IncrementalLoad",
      "encounters",
      numbers
        .filter((number) => number % 3 === 0)
        .map((number) => ({
          resourceType: "Encounter",
          id: `e${number}`,
          status: "finished",
          class: { code: "AMB" },
          subject: { reference: `http://elsewhere.example.org/fhir/Patient/p${number}` },
          contained: [
            {
              resourceType: "Location",
              id: "l",
              status: "active",
              managingOrganization: { reference: `Organization/p${number}` },
            },
          ],
          location: [{ location: { reference: "#l" } }],
        })),
    );
    await load(
      "InitialLoad",
      "patients",
      numbers.slice(0, 500).map((number) => patient(number)),
    );
    await load(
      "IncrementalLoad",
      "later-patients",
      numbers.slice(500).map((number) => patient(number)),
    );
    await load(
      "InitialLoad",
      "organizations",
      numbers.map((number) => ({ resourceType: "Organization", id: `p${number}`, name: `Organization${number}` })),
    );
    await load(
      "IncrementalLoad",
      "after",
      numbers.map((number) => observation("after", number)),
    );
  });

  it("are counted and paged as what they are", async () => {
    expect(await asked("Patient?_summary=count")).toEqual([`total ${PATIENTS}`]);
    expect(await asked("Observation?_summary=count")).toEqual([`total ${PATIENTS * 2}`]);
    expect(await asked("Patient?_count=100")).toHaveLength(PATIENTS);
  });

  it("are read and searched, each as itself", async () => {
    for (const id of await interesting()) {
      expect(await asked(`Patient/${id}`)).toEqual([`Patient/${id} 1`]);
      expect(await asked(`Patient?_id=${id}`)).toEqual([`Patient/${id} 1 match`]);
      expect(await asked(`Patient?identifier=urn:x|mrn-${id.slice(1)}&_id=${id}`)).toHaveLength(1);
      expect(await asked(`Observation?subject=Patient/${id}`)).toHaveLength(2);
      expect(await asked(`Observation?patient=${id}`)).toHaveLength(2);
      expect(await asked(`Patient/${id}/Observation`)).toHaveLength(2);
      expect(await asked(`Patient/${id}/$everything`)).toHaveLength(3);
      expect(await asked(`Observation?subject:Patient.identifier=mrn-${id.slice(1)}`)).toHaveLength(2);
      expect(await asked(`Patient?_has:Observation:subject:_id=before${id.slice(1)}`)).toEqual([
        `Patient/${id} 1 match`,
      ]);
      expect(await asked(`Observation?_id=before${id.slice(1)}&_include=Observation:subject`)).toHaveLength(2);
      expect(await asked(`Patient?_id=${id}&_revinclude=Observation:subject`)).toHaveLength(3);
      await asked(`Encounter?subject=http://elsewhere.example.org/fhir/Patient/${id}`);
      await asked(`Encounter?location.organization=Organization/${id}`);
      await asked(`Encounter?location.organization.name=Organization${id.slice(1)}`);
      await asked(`Patient/${id}/_history`);
    }
    await asked("Patient?_id=p3,p4,p5,p6,p7,p8,p9");
    await asked("Patient?_has:Observation:patient:code=c3&_summary=count");
    await asked("Observation?subject:Patient.family=family12&_count=50");
  });

  it("are not taken for ids that are not stored", async () => {
    const absent = numbers.slice(0, 200).map((number) => `absent${number}`);
    expect(await asked(`Patient?_id=${absent.join()}`)).toEqual([]);
    expect(await asked(`Patient?_id:not=${absent.join()}&_summary=count`)).toEqual([`total ${PATIENTS}`]);
    for (const id of absent.slice(0, 25)) {
      expect(await asked(`Observation?subject=Patient/${id}`)).toEqual([]);
      expect(await asked(`Patient/${id}/Observation`)).toEqual([]);
      expect(await asked(`Observation?subject=Patient/${id}&_total=accurate`)).toEqual(["total 0"]);
    }
    // References to what is not there lead nowhere.
    await load(
      "IncrementalLoad",
      "dangling",
      absent.map((id, number) => observation("dangling", number, { subject: { reference: `Patient/${id}` } })),
    );
    for (const [number, id] of absent.slice(0, 25).entries()) {
      expect(await asked(`Observation?subject=Patient/${id}`)).toEqual([`Observation/dangling${number} 1 match`]);
      expect(await asked(`Observation?_id=dangling${number}&_include=Observation:subject`)).toHaveLength(1);
    }
    for (const id of await interesting()) expect(await asked(`Observation?subject=Patient/${id}`)).toHaveLength(2);
    // Among so many, some have the key of a patient who is stored.
    const dangling = absent.map((_id, number) => `dangling${number}`).join();
    expect(await asked("Observation?subject:Patient.family=Family&_count=1000")).toHaveLength(PATIENTS * 2);
    expect(await asked(`Observation?_id=${dangling}&subject:Patient.identifier=urn:x|`)).toEqual([]);
    expect(await asked(`Observation?_id=${dangling}&subject:Patient._has:Observation:patient:code=c1`)).toEqual([]);
    expect(await asked(`Patient?_has:Observation:subject:_id=${dangling}`)).toEqual([]);
    const ids = await interesting();
    expect(await asked(`Patient?_id=${ids.join()}&_has:Observation:patient:status=final`)).toHaveLength(ids.length);
    expect(await asked("Patient?_count=1000&_revinclude=Observation:subject")).toHaveLength(PATIENTS * 3);
    expect(await exportedNames("Patient/$export?_type=Observation")).toHaveLength(PATIENTS * 2);
    const some = numbers.slice(0, 100).map((number) => `patient=Patient/p${number}`);
    expect(await exportedNames(`Patient/$export?${some.join("&")}&_type=Observation`)).toHaveLength(200);
    const entry = absent.map((_id, number) => ({
      request: { method: "DELETE", url: `Observation/dangling${number}` },
    }));
    await send("POST", "", { resourceType: "Bundle", type: "batch", entry });
  });

  it("are written by the API: single writes, made-up ids, transactions and batches", async () => {
    // One after another, by both servers in turn: hundreds of ids, of which some are displaced.
    for (let number = 0; number < 60; number++) {
      await send("PUT", `Patient/q${number}`, patient(number, { id: `q${number}`, gender: "male" }), {}, number % 2);
    }
    for (let number = 0; number < 40; number++)
      await send("POST", "Patient", { resourceType: "Patient", gender: "female" }, {}, number % 2);
    const entries = numbers.slice(0, 300).map((number) => ({
      fullUrl: `urn:uuid:00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
      resource: { resourceType: "Practitioner", id: `t${number}`, name: [{ family: `T${number}` }] },
      request: { method: "PUT", url: `Practitioner/t${number}` },
    }));
    const bundle = { resourceType: "Bundle", type: "transaction", entry: entries };
    for (const { body } of await send("POST", "", bundle)) {
      expect(body.entry.map(({ response }: Json) => response.status)).toEqual(entries.map(() => "201 Created"));
    }
    const batch = { ...bundle, type: "batch" };
    for (const { body } of await send("POST", "", batch, {}, 1)) {
      expect(body.entry.map(({ response }: Json) => response.status)).toEqual(entries.map(() => "200 OK"));
    }
    expect(await asked("Patient?gender=male&_summary=count")).toEqual(["total 60"]);
    expect(await asked("Patient?gender=female&_summary=count")).toEqual(["total 40"]);
    expect(await asked("Practitioner?_count=1000")).toHaveLength(300);
    expect(await asked("Practitioner/_history?_count=1000")).toHaveLength(600);
    const names = (await displaced()).map(({ id }) => id);
    expect(names.filter((id) => id.startsWith("q")).length).toBeGreaterThan(3);
    expect(names.filter((id) => id.startsWith("t")).length).toBeGreaterThan(3);
    expect(names.filter((id) => MADE_UP.test(id)).length).toBeGreaterThan(0);
  });

  it("have versions, histories and deletions of their own", async () => {
    for (const [index, id] of (await interesting()).entries()) {
      const number = Number(id.slice(1));
      await send("PUT", `Patient/${id}`, patient(number, { active: true }), { "if-match": 'W/"1"' }, index % 2);
      expect(await asked(`Patient/${id}/_history`)).toHaveLength(3);
      expect(await asked(`Patient/${id}/_history/1`)).toEqual([`Patient/${id} 1`]);
      expect(await asked(`Patient?_id=${id}&active=true`)).toEqual([`Patient/${id} 2 match`]);
      if (index % 3 !== 0) continue;
      await send("DELETE", `Patient/${id}`, undefined, {}, (index + 1) % 2);
      expect(await asked(`Patient/${id}`)).toEqual(["410"]);
      expect(await asked(`Patient?_id=${id}`)).toEqual([]);
      expect(await asked(`Observation?subject=Patient/${id}&_include=Observation:subject`)).toHaveLength(2);
      await send("PUT", `Patient/${id}`, patient(number));
      expect(await asked(`Patient/${id}/_history`)).toHaveLength(5);
    }
    // As long as an older import is not repeated, lines of what is there say nothing new.
    await load(
      "IncrementalLoad",
      "again",
      numbers.slice(0, 500).map((number) => patient(number, { active: false })),
    );
    expect(await asked("Patient?active=false&_summary=count")).toEqual(["total 500"]);
    await asked("Patient/_history?_count=500");
  });

  it("are found by conditional interactions, each as itself", async () => {
    for (const [index, id] of (await interesting()).slice(0, 9).entries()) {
      const number = Number(id.slice(1));
      const first = index % 2;
      const found = await send(
        "POST",
        "Patient",
        patient(number, { id: undefined }),
        { "if-none-exist": `_id=${id}` },
        first,
      );
      for (const { status, body } of found) expect([status, body.id]).toEqual([200, id]);
      const updated = patient(number, { birthDate: "1980-01-01", id: undefined });
      for (const { body } of await send(
        "PUT",
        `Patient?identifier=urn:x|mrn-${number}&_id=${id}`,
        updated,
        {},
        first,
      )) {
        expect(body.id).toBe(id);
      }
      const reference = { reference: `Patient?_id=${id}` };
      const entry = {
        resource: { resourceType: "Flag", status: "active", code: { text: id }, subject: reference },
        request: { method: "POST", url: "Flag" },
      };
      await send("POST", "", { resourceType: "Bundle", type: "transaction", entry: [entry] }, {}, first);
      const counted = await asked(`Flag?subject=Patient/${id}&_summary=count`);
      expect(counted).toEqual(["total 1"]);
      await send("DELETE", `Flag?subject=Patient/${id}`, undefined, {}, first);
      expect(await asked(`Flag?subject=Patient/${id}&_summary=count`)).toEqual(["total 0"]);
    }
  });

  it("are exported, of the system and of a patient", async () => {
    const [id = ""] = await interesting();
    for (const path of [
      "$export?_type=Patient,Observation",
      `Patient/$export?patient=Patient/${id}&_type=Patient,Observation`,
    ]) {
      expect((await exportedNames(path)).length).toBeGreaterThan(2);
    }
  });

  it("have the values of search parameters that are defined later", async () => {
    const definition = {
      resourceType: "SearchParameter",
      id: "observed",
      url: "http://example.org/SearchParameter/observed",
      name: "observed",
      status: "active",
      description: "The patient.",
      code: "observed",
      base: ["Observation"],
      type: "reference",
      target: ["Patient"],
      expression: "Observation.subject",
    };
    await send("PUT", "SearchParameter/observed", definition, {}, 1);
    for (const { base } of [server(0), server(2)]) {
      const started = await fetch(`${base}/$reindex`, { method: "POST", headers: { prefer: "respond-async" } });
      const location = started.headers.get("content-location") ?? "";
      while ((await fetch(location)).status === 202) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // Displaced after the definition: the references to them are written anew for it, too.
    for (let number = 0; number < 60; number++) {
      await send(
        "PUT",
        `Observation/later${number}`,
        observation("later", number, { subject: { reference: `Patient/r${number}` } }),
      );
    }
    for (let number = 0; number < 60; number++) {
      await send("PUT", `Patient/r${number}`, patient(number, { id: `r${number}` }), {}, number % 2);
    }
    for (const id of await interesting()) expect(await asked(`Observation?observed=Patient/${id}`)).toHaveLength(2);
    const ids = (await displaced()).map(({ id }) => id).filter((id) => /^r\d+$/.test(id));
    expect(ids.length).toBeGreaterThan(2);
    for (const id of ids) {
      expect(await asked(`Observation?observed=Patient/${id}`)).toHaveLength(1);
      expect(
        await asked(`Observation?subject:Patient.family=Family${id.slice(1)}&_id=later${id.slice(1)}`),
      ).toHaveLength(1);
    }
  });

  it("are known after a restart", async () => {
    await server(0).close();
    servers[0] = await startServer(folder, settings.cut);
    for (const id of (await interesting()).slice(0, 6)) {
      expect(await asked(`Patient/${id}`)).toHaveLength(1);
      expect(await asked(`Patient?_id=${id}`)).toHaveLength(1);
      expect(await asked(`Observation?subject=Patient/${id}`)).toHaveLength(2);
      await asked(`Patient/${id}/_history`);
    }
  });
});

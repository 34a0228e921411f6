import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ALL, encounter, RESOURCES } from "./support/export-resources.ts";
import { exportedLines, exportOutcome, kickOff, namesOf, runExport } from "./support/exports.ts";
import { openFullServer, type FullServer, type Json } from "./support/full-server.ts";

/** The whole way over HTTP, as a Bulk Data client goes it. */

let server: FullServer;

const OLD = "2020-01-01T00:00:00.000Z";

beforeAll(async () => {
  server = await openFullServer();
  const lines = RESOURCES.map((resource) =>
    JSON.stringify({ ...resource, meta: { versionId: "1", lastUpdated: OLD } }).replace("BASE", server.base),
  );
  const imported = await server.load({ inputs: [await server.file("all.ndjson", `${lines.join("\n")}\n`)] });
  expect(imported.body.error).toEqual([]);
});
afterAll(async () => {
  await server?.close();
});

/** The lines of all files of an export. */
async function linesOf(path: string, init?: RequestInit): Promise<string[]> {
  return await exportedLines(await runExport(server.base, path, init));
}

async function names(path: string, init?: RequestInit): Promise<string[]> {
  return namesOf(await linesOf(path, init)).toSorted();
}

function patient(id: string): object {
  return { name: "patient", valueReference: { reference: `Patient/${id}` } };
}

/** Versions of Basic/h, and whether each is a deletion. */
async function versions(data: string): Promise<string[]> {
  const lines = await linesOf(`$export?_type=Basic${data}`);
  const parsed = lines.map(parse).filter(({ id }) => id === "h");
  return parsed.map(({ meta }) => `${String(meta.versionId)}${meta.extension ? " deleted" : ""}`).toSorted();
}

function parse(line: string): Json {
  return JSON.parse(line);
}

function post(...parameter: object[]): RequestInit {
  const body = JSON.stringify({ resourceType: "Parameters", parameter });
  return { method: "POST", body, headers: { "content-type": "application/fhir+json" } };
}

async function write(method: string, path: string, resource?: Json): Promise<void> {
  const headers = { "content-type": "application/fhir+json" };
  const body = resource === undefined ? {} : { headers, body: JSON.stringify(resource) };
  const response = await fetch(`${server.base}/${path}`, { method, ...body });
  if (!response.ok) throw new Error(await response.text());
}

describe("$export of the system", () => {
  it("kick-off, status, manifest, files, deletion", async () => {
    const done = await runExport(server.base, "$export?_outputFormat=application/fhir%2Bndjson");
    expect(done.status).toBe(200);
    expect(done.headers.get("content-type")).toContain("application/json");
    expect(Date.parse(done.headers.get("expires") ?? "")).toBeGreaterThan(Date.now());
    const { transactionTime, request, requiresAccessToken, output, deleted, error } = done.body;
    expect(Math.abs(Date.parse(transactionTime) - Date.now())).toBeLessThan(600_000);
    expect(request).toBe(`${server.base}/$export?_outputFormat=application/fhir%2Bndjson`);
    expect([requiresAccessToken, deleted, error]).toEqual([false, [], []]);
    expect(output).toContainEqual({ type: "Patient", count: 3, url: `${done.location}/Patient-1.ndjson` });
    expect(namesOf(await exportedLines(done)).toSorted()).toEqual(ALL);
    const file = await fetch(output[0].url);
    expect(file.headers.get("content-type")).toContain("application/fhir+ndjson");
    expect(file.headers.get("content-length")).toBe(String((await file.arrayBuffer()).byteLength));
    const missing = await fetch(`${done.location}/Patient-2.ndjson`);
    expect([missing.status, ((await missing.json()) as Json).resourceType]).toEqual([404, "OperationOutcome"]);

    const folders = join(server.folder, ".stoker", "exports");
    const before = await readdir(folders);
    const id = done.location.slice(done.location.lastIndexOf("/") + 1);
    expect(before.filter((name) => name.startsWith(`${id}-`))).toHaveLength(1);
    expect((await fetch(done.location, { method: "DELETE" })).status).toBe(202);
    for (const url of [done.location, output[0].url]) {
      const response = await fetch(url);
      expect([response.status, ((await response.json()) as Json).resourceType]).toEqual([404, "OperationOutcome"]);
    }
    expect((await fetch(done.location, { method: "DELETE" })).status).toBe(404);
    while ((await readdir(folders)).some((name) => name.startsWith(`${id}-`))) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  });

  it("serves the bytes that reads serve", async () => {
    const lines = await linesOf("$export?_type=Patient");
    for (const line of lines) {
      const { id } = JSON.parse(line) as { id: string };
      expect(await (await server.get(`Patient/${id}`)).text()).toBe(line);
    }
  });

  it.each([
    ["$export", {}, 400],
    ["$export?_type=Nothing", { prefer: "respond-async" }, 400],
    ["$export", { prefer: "respond-async", accept: "text/html" }, 406],
    ["Group/nobody/$export", { prefer: "respond-async" }, 404],
  ])("%s with %j: %i with an OperationOutcome", async (path, headers, status) => {
    const response = await fetch(`${server.base}/${path}`, { headers });
    expect([response.status, ((await response.json()) as Json).resourceType]).toEqual([status, "OperationOutcome"]);
  });

  it("is not begun by HEAD", async () => {
    const response = await kickOff(server.base, "$export", { method: "HEAD" });
    expect([404, 405]).toContain(response.status);
  });

  it("says in the answer what a lenient one leaves out", async () => {
    const response = await kickOff(server.base, "$export?_type=Patient&x=1", {
      headers: { prefer: "respond-async, handling=lenient" },
    });
    const outcome = (await response.json()) as Json;
    expect([response.status, outcome.issue[0].severity]).toEqual([202, "warning"]);
    await fetch(response.headers.get("content-location") ?? "", { method: "DELETE" });
  });

  it("by POST, with %24 instead of $", async () => {
    expect(await names("%24export", post({ name: "_type", valueString: "Patient,Organization" }))).toEqual([
      "Organization/org",
      "Patient/p1",
      "Patient/p2",
      "Patient/p3",
    ]);
  });

  it("_typeFilter: one of several searches finds it; other types come whole", async () => {
    const filters = [
      "Observation?status=amended",
      "Observation?code=urn:c|c0&subject.gender=female",
      "Patient?gender=male",
    ];
    const query = new URLSearchParams([["_type", "Observation,Patient,Organization"]]);
    for (const filter of filters) query.append("_typeFilter", filter);
    const wanted = ["Observation/o-p1", "Observation/o-p3", "Organization/org", "Patient/p2", "Patient/p3"];
    expect(await names(`$export?${query.toString()}`)).toEqual(wanted);
    const joined = new URLSearchParams({ _type: "Observation,Patient,Organization", _typeFilter: filters.join(",") });
    expect(await names(`$export?${joined.toString()}`)).toEqual(wanted);
  });

  it("_elements: those of the type, mandatory ones, and the tag SUBSETTED", async () => {
    const lines = await linesOf("$export?_type=Patient,Organization&_elements=Patient.gender,id");
    const [organization, patient] = lines.map(parse);
    expect(Object.keys(organization).toSorted()).toEqual(["id", "meta", "resourceType"]);
    expect(Object.keys(patient).toSorted()).toEqual(["gender", "id", "meta", "resourceType"]);
    expect(patient.meta.tag[0].code).toBe("SUBSETTED");
  });
});

describe("$export of patients", () => {
  const COMPARTMENTS = ALL.filter((name) => !/Organization|Group|o-nobody|o-unknown/.test(name));

  it("has the patients and what refers to one of the store", async () => {
    // A Group is in the compartments of its members
    expect(await names("Patient/$export")).toEqual([...COMPARTMENTS, "Group/g"].toSorted());
    expect(await names("Patient/$export?_type=Observation&_typeFilter=Observation?status=final")).toEqual([
      "Observation/o-p1",
      "Observation/o-p2",
      "Observation/o-performer",
    ]);
  });

  it("is confined to listed patients", async () => {
    const type = { name: "_type", valueString: "Patient,Observation" };
    expect(await names("Patient/$export", post(patient("p2"), patient("p3"), type))).toEqual([
      "Observation/o-p2",
      "Observation/o-p3",
      "Observation/o-performer",
      "Patient/p2",
      "Patient/p3",
    ]);
    expect((await kickOff(server.base, "Patient/$export", post(patient("unknown")))).status).toBe(400);
    expect((await kickOff(server.base, "Group/g/$export", post(patient("p2")))).status).toBe(400);
    expect(await names("Group/g/$export", post(patient("p1"), type))).toEqual(["Observation/o-p1", "Patient/p1"]);
  });

  it("of a Group has its active members and their compartments only", async () => {
    expect(await names("Group/g/$export")).toEqual(["Condition/c-p1", "Group/g", "Observation/o-p1", "Patient/p1"]);
  });

  it("of a Group brings what its resources refer to, where that is asked for", async () => {
    const wanted = ["Location", "Organization", "Practitioner"];
    const stored = [1, 2].flatMap((n) => wanted.map((type) => ({ resourceType: type, id: `r${String(n)}` })));
    const medication = { resourceType: "Medication", id: "r1" };
    const request = {
      resourceType: "MedicationRequest",
      id: "r1",
      status: "active",
      intent: "order",
      medicationReference: { reference: "Medication/r1" },
      subject: { reference: "Patient/p1" },
    };
    const nobody = { resourceType: "Group", id: "nobody", type: "person", actual: true };
    const managed = {
      ...RESOURCES.find(({ id }) => id === "p1"),
      managingOrganization: { reference: "Organization/org" },
    };
    for (const resource of [
      ...stored,
      medication,
      request,
      encounter(server.base, "e1", "p1", 1),
      encounter(server.base, "e2", "p2", 2),
      nobody,
      managed,
    ]) {
      await write("PUT", `${String(resource.resourceType)}/${String(resource.id)}`, resource);
    }
    const types = `${wanted.join(",")},Medication`;
    expect(await names(`Group/g/$export?_type=${types}`)).toEqual([
      "Location/r1",
      "Medication/r1",
      "Organization/org",
      "Organization/r1",
      "Practitioner/r1",
    ]);
    expect(await names("Group/g/$export?_type=Patient,Practitioner")).toEqual(["Patient/p1", "Practitioner/r1"]);
    expect(await names("Group/g/$export?_type=Organization&_typeFilter=Organization?_id=org")).toEqual([
      "Organization/org",
    ]);
    expect(await names("Group/nobody/$export?_type=Practitioner")).toEqual([]);
    for (const resource of [
      ...stored,
      medication,
      request,
      encounter(server.base, "e1", "p1", 1),
      encounter(server.base, "e2", "p2", 2),
      nobody,
    ]) {
      await write("DELETE", `${String(resource.resourceType)}/${String(resource.id)}`);
    }
  });
});

describe("changes", () => {
  it("_since: what was changed after it, what was deleted after it, and the next _since misses nothing", async () => {
    const first = await runExport(server.base, "$export?_type=Basic,Patient");
    expect(namesOf(await exportedLines(first))).toHaveLength(3);
    await write("PUT", "Basic/b1", { resourceType: "Basic", id: "b1", code: { text: "x" } });
    await write("PUT", "Basic/b2", { resourceType: "Basic", id: "b2", code: { text: "x" } });
    await write("DELETE", "Basic/b2");
    const since = encodeURIComponent(first.body.transactionTime as string);
    const second = await runExport(server.base, `$export?_type=Basic,Patient&_since=${since}`);
    expect(namesOf(await exportedLines(second))).toEqual(["Basic/b1"]);
    expect(second.body.deleted).toMatchObject([{ type: "Bundle", count: 1 }]);
    const bundles = (await exportedLines(second, "deleted")).map(parse);
    expect(bundles).toEqual([
      { resourceType: "Bundle", type: "transaction", entry: [{ request: { method: "DELETE", url: "Basic/b2" } }] },
    ]);
  });

  it("history without deletions, deletions without history, both", async () => {
    await write("PUT", "Basic/h", { resourceType: "Basic", id: "h", code: { text: "1" } });
    await write("PUT", "Basic/h", { resourceType: "Basic", id: "h", code: { text: "2" } });
    await write("DELETE", "Basic/h");
    expect(await versions("")).toEqual([]);
    expect(await versions("&includeAssociatedData=_history")).toEqual(["1", "2"]);
    expect(await versions("&includeAssociatedData=_deleted")).toEqual(["3 deleted"]);
    expect(await versions("&includeAssociatedData=_history,_deleted")).toEqual(["1", "2", "3 deleted"]);
  });

  it("files are gzipped for who takes that", async () => {
    await write("PUT", "Account/large", { resourceType: "Account", id: "large", description: "x".repeat(5000) });
    const done = await runExport(server.base, "$export?_type=Account");
    const [{ url }] = done.body.output;
    const plain = await fetch(url, { headers: { "accept-encoding": "identity" } });
    const text = await plain.text();
    expect([plain.headers.get("content-encoding"), plain.headers.get("content-length")]).toEqual([
      null,
      String(text.length),
    ]);
    const zipped = await fetch(url, { headers: { "accept-encoding": "gzip" } });
    expect([zipped.headers.get("content-encoding"), zipped.headers.get("vary")]).toEqual(["gzip", "accept-encoding"]);
    expect(await zipped.text()).toBe(text);
    const head = await fetch(url, { method: "HEAD", headers: { "accept-encoding": "gzip" } });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("parts of files can be asked for", async () => {
    const done = await runExport(server.base, "$export?_type=Patient,Account");
    const url: string = done.body.output.find(({ type }: Json) => type === "Patient").url;
    const whole = await fetch(url);
    const text = await whole.text();
    const etag = whole.headers.get("etag") ?? "";
    const length = String(text.length);
    expect([whole.headers.get("accept-ranges"), etag]).toEqual(["bytes", expect.stringMatching(/^"[^"]+"$/)]);
    const part = async (headers: Record<string, string>): Promise<unknown[]> => {
      const answer = await fetch(url, { headers: { "accept-encoding": "gzip", ...headers } });
      return [
        answer.status,
        answer.headers.get("content-range"),
        answer.headers.get("content-length"),
        await answer.text(),
      ];
    };
    expect(await part({ range: "bytes=10-" })).toEqual([
      206,
      `bytes 10-${String(text.length - 1)}/${length}`,
      String(text.length - 10),
      text.slice(10),
    ]);
    expect(await part({ range: "bytes=0-9", "if-range": etag })).toEqual([
      206,
      `bytes 0-9/${length}`,
      "10",
      text.slice(0, 10),
    ]);
    expect(await part({ range: "bytes=-5" })).toEqual([206, expect.any(String), "5", text.slice(-5)]);
    expect(await part({ range: "bytes=10-", "if-range": '"other"' })).toEqual([200, null, length, text]);
    expect((await part({ range: `bytes=${length}-` })).slice(0, 2)).toEqual([416, `bytes */${length}`]);
    expect((await part({ "if-none-match": etag }))[0]).toBe(304);
    const head = await fetch(url, { method: "HEAD", headers: { range: "bytes=10-" } });
    expect([head.status, head.headers.get("content-length"), head.headers.get("etag")]).toEqual([200, length, etag]);
    const large: string = done.body.output.find(({ type }: Json) => type === "Account").url;
    const tags = ["gzip", "identity"].map(async (encoding) =>
      (await fetch(large, { headers: { "accept-encoding": encoding } })).headers.get("etag"),
    );
    expect(new Set(await Promise.all(tags)).size, "other bytes have another strong ETag").toBe(2);
  });

  it("an export is one state of the store, whatever is written meanwhile", async () => {
    await write("PUT", "Basic/s1", { resourceType: "Basic", id: "s1", code: { text: "old" } });
    const client = await server.database.pool.connect();
    try {
      await client.query("begin; lock table body_block in access exclusive mode");
      const accepted = await kickOff(server.base, "$export?_type=Basic");
      // The runner has its snapshot and waits for the lock.
      for (;;) {
        const { rows } = await client.query(
          "select from pg_locks where relation = 'body_block'::regclass and not granted",
        );
        if (rows.length > 0) break;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      await client.query("update resource_current set last_updated = last_updated + 1 where id = 's1'");
      await client.query("commit");
      const location = accepted.headers.get("content-location") ?? "";
      const line = (await exportedLines(await exportOutcome(location))).find((text) => text.includes('"s1"')) ?? "";
      const served = await (await server.get("Basic/s1")).text();
      expect(Date.parse(parse(line).meta.lastUpdated)).toBe(Date.parse(parse(served).meta.lastUpdated) - 1);
    } finally {
      client.release();
    }
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { definitionHash, type ImportRequest } from "../src/import/request/definition.ts";
import { registerImport } from "../src/import/job/registration.ts";
import {
  completeUnit,
  idOf,
  input,
  openImportServer,
  plannedUnits,
  registration,
  waitFor,
  type ImportServer,
} from "./support/import-server.ts";

let server: ImportServer;
let second: ImportServer;

beforeAll(async () => {
  server = await openImportServer();
  second = await openImportServer({ database: server.database, coordinate: false });
});

afterAll(async () => {
  await second.close();
  await server.close();
});

async function complete(job: string): Promise<void> {
  for (const unit of await plannedUnits(server, job)) await completeUnit(server, unit.id, { lines: 1, loaded: 1 });
  await waitFor(
    () => server.status(job),
    (answer) => answer.status === 200,
  );
}

describe("POST $import", () => {
  it("answers 202 with an empty body and the place of the status (1.5)", async () => {
    const url = await server.file("accepted.ndjson", "{}\n");
    const answer = await server.register(registration([input(url)]));
    expect(answer.status).toBe(202);
    expect(await answer.text()).toBe("");
    expect(answer.headers.get("content-location")).toMatch(new RegExp(`^${server.base}/_operations/import/[1-9]\\d*$`));
    expect(answer.headers.get("retry-after")).toBeNull();
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("takes the path with an escaped dollar and a body without content type is R-002", async () => {
    const url = await server.file("escaped.ndjson", "{}\n");
    const body = JSON.stringify(registration([input(url)]));
    const headers = { prefer: "respond-async", "content-type": "application/fhir+json" };
    const escaped = await fetch(`${server.base}/%24import`, { method: "POST", headers, body });
    expect(escaped.status).toBe(202);
    const bare = await fetch(`${server.base}/$import`, {
      method: "POST",
      headers: { prefer: "respond-async" },
      body: new Uint8Array(Buffer.from(body)),
    });
    expect(bare.status).toBe(400);
    expect(await bare.json()).toMatchObject({
      issue: [{ diagnostics: 'Value supplied, ,  for the "Content-Type" header is not supported.' }],
    });
  });

  it("refuses as an OperationOutcome with the correlation id (1.4)", async () => {
    const answer = await server.register(registration([]), { headers: { "x-request-id": "mine-1" } });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/fhir+json; charset=utf-8");
    expect(answer.headers.get("x-correlation-id")).toBe("mine-1");
    const outcome = (await answer.json()) as Record<string, unknown>;
    expect(outcome).toEqual({
      resourceType: "OperationOutcome",
      id: answer.headers.get("x-request-id"),
      meta: { lastUpdated: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/) as string },
      issue: [
        {
          severity: "error",
          code: "invalid",
          diagnostics: "Value of the following parameter input is invalid.",
        },
      ],
    });
  });

  it("R-001 comes before a body that is too large, R-004 answers an empty one", async () => {
    const large = await server.register("x".repeat(17 * 1024 * 1024), { headers: { prefer: "no" } });
    expect(large.status).toBe(400);
    const empty = await server.register("");
    expect(await empty.json()).toMatchObject({
      issue: [{ diagnostics: expect.stringContaining("Import request must be specified as a Paramters.") as string }],
    });
  });

  it("D-26: a file outside the root is R-012, a missing one is accepted and becomes a 404", async () => {
    const outside = await server.register(registration([input("file:///etc/passwd")]));
    expect(outside.status).toBe(400);
    expect(await outside.json()).toMatchObject({
      issue: [{ diagnostics: "input.url must match the configured integration storage account endpoint." }],
    });
    const present = await server.file("present.ndjson", "");
    const missing = await server.register(registration([input(present.replace("present", "missing"))]));
    expect(missing.status).toBe(202);
    const status = await waitFor(
      () => server.status(idOf(missing)),
      (answer) => answer.status !== 202,
    );
    expect(status.status).toBe(404);
    expect(await status.json()).toMatchObject({
      issue: [
        {
          severity: "error",
          code: "processing",
          diagnostics: expect.stringMatching(/^import operation failed for reason: .*missing\.ndjson$/) as string,
        },
      ],
    });
  });
});

describe("one job per registration (contract 2)", () => {
  it("R-020, R-021: the same again is the same job, also when it has completed", async () => {
    const body = registration([input(await server.file("again.ndjson", "{}\n"))]);
    const first = idOf(await server.register(body));
    expect(idOf(await server.register(body))).toBe(first);
    await complete(first);
    expect(idOf(await server.register(body))).toBe(first);
    expect((await server.status(first)).status).toBe(200);
  });

  it("R-022, R-024: a failed job stays failed; with the right etag it is another job", async () => {
    const url = await server.file("etag.ndjson", "{}\n");
    const failing = registration([input(url, { etag: '"0x8D92A7342657F4F"' })]);
    const first = idOf(await server.register(failing));
    const ended = await waitFor(
      () => server.status(first),
      (answer) => answer.status !== 202,
    );
    expect(ended.status).toBe(400);
    expect(await ended.json()).toMatchObject({
      issue: [
        { code: "processing", diagnostics: `import operation failed for reason: Input file Etag not match. ${url}` },
      ],
    });
    expect(idOf(await server.register(failing))).toBe(first);
    expect((await server.status(first)).status).toBe(400);
    expect(idOf(await server.register(registration([input(url)])))).not.toBe(first);
  });

  it("R-023: a cancelled job stays cancelled", async () => {
    const body = registration([input(await server.file("cancelled.ndjson", "{}\n"))]);
    const id = idOf(await server.register(body));
    await fetch(`${server.base}/_operations/import/${id}`, { method: "DELETE" });
    expect(idOf(await server.register(body))).toBe(id);
    expect((await server.status(id)).status).toBe(400);
  });

  it("R-025, R-026: the order of the inputs counts, force does not, the query string does", async () => {
    const x = input(await server.file("x.ndjson", "{}\n"));
    const y = input(await server.file("y.ndjson", "{}\n"));
    const force = { name: "force", valueBoolean: true };
    const first = idOf(await server.register(registration([x, y])));
    expect(idOf(await server.register(registration([y, x])))).not.toBe(first);
    expect(idOf(await server.register(registration([x, y], [force])))).toBe(first);
    expect(idOf(await server.register(registration([x, y]), { query: "?x=1" }))).not.toBe(first);
  });

  it("twenty equal requests at once, to two processes' pools, are one job", async () => {
    const request: ImportRequest = {
      requestUrl: "http://x/fhir/$import",
      definition: {
        inputFormat: "application/fhir+ndjson",
        inputSource: null,
        storageType: "azure-blob",
        mode: "IncrementalLoad",
        allowNegativeVersions: false,
        eventualConsistency: false,
        errorContainerName: null,
        processingUnitBytesToRead: 10,
      },
      inputs: [{ type: "Patient", url: "file:///none/at-once.ndjson", etag: null }],
    };
    const pools = [server.pool, second.pool];
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, n) => registerImport(pools[n % 2] ?? server.pool, request)),
    );
    expect(new Set(ids).size).toBe(1);
    const { rows } = await server.database.pool.query<{ jobs: number; inputs: number }>(
      `select count(distinct job.id)::int as jobs, count(input.number)::int as inputs
       from import_job job join import_input input on input.job = job.id where definition_hash = $1`,
      [definitionHash(request)],
    );
    expect(rows).toEqual([{ jobs: 1, inputs: 1 }]);
  });

  it("twenty equal requests at once over HTTP are one job", async () => {
    const url = await server.file("http-at-once.ndjson", "{}\n");
    const body = registration([input(url)]);
    const ids = await Promise.all(Array.from({ length: 20 }, async () => idOf(await server.register(body))));
    expect(new Set(ids).size).toBe(1);
  });

  it("D-22: ids start at the milliseconds since 1970 of the database's making", async () => {
    const id = Number(idOf(await server.register(registration([input(await server.file("id.ndjson", ""))]))));
    expect(id).toBeGreaterThan(1_700_000_000_000);
    expect(id).toBeLessThan(Date.now() + 1_000_000);
  });

  it("registers and plans ten thousand inputs", async () => {
    const folder = (await server.file("one-of-many.ndjson", "")).replace(/[^/]*$/, "many");
    const urls = Array.from({ length: 10_000 }, (_, n) => `${folder}/${String(n)}.ndjson`);
    const answer = await server.register(registration(urls.map((url) => input(url, { type: "Observation" }))));
    expect(answer.status).toBe(202);
    const { rows } = await server.database.pool.query<{ count: number; last: string }>(
      "select count(*)::int as count, max(number)::int as last from import_input where job = $1",
      [idOf(answer)],
    );
    expect(rows).toEqual([{ count: 10_000, last: 10_000 }]);
    // None of the files is there: the first one in the order of the request is named.
    const ended = await waitFor(
      () => server.status(idOf(answer)),
      (status) => status.status !== 202,
    );
    expect(ended.status).toBe(404);
    expect(await ended.text()).toContain("/many/0.ndjson");
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failJob } from "../src/import/job/jobs.ts";
import type { JobFailure } from "../src/import/job/job-state.ts";
import {
  completeUnit,
  idOf,
  input,
  openImportServer,
  plannedUnits,
  registration,
  unitsOf,
  waitFor,
  type ImportServer,
} from "./support/import-server.ts";

let server: ImportServer;
let files = 0;

beforeAll(async () => {
  server = await openImportServer();
});

afterAll(async () => {
  await server.close();
});

/** Registers files of these sizes, in units of ten bytes, and waits for the plan. */
async function planned(...lengths: number[]): Promise<{ id: string; urls: string[] }> {
  const urls: string[] = [];
  for (const length of lengths) urls.push(await server.file(`status-${String(++files)}.ndjson`, " ".repeat(length)));
  const size = { name: "processingUnitBytesToRead", valueInteger: 10 };
  const inputs = urls.map((url, n) => input(url, n === 0 ? { type: "Patient" } : {}));
  const id = idOf(await server.register(registration(inputs, [size])));
  await plannedUnits(server, id);
  return { id, urls };
}

async function ended(id: string): Promise<Response> {
  return await waitFor(
    () => server.status(id),
    (answer) => answer.status !== 202,
  );
}

async function cancel(id: string): Promise<Response> {
  return await fetch(`${server.base}/_operations/import/${id}`, { method: "DELETE" });
}

describe("GET status (3.1, 3.2)", () => {
  it.each(["999", "abc", "99999999999999999999", "0", "-1", "1e3"])("404 for the id %s", async (id) => {
    const answer = await server.status(id);
    expect(answer.status).toBe(404);
    const shown = id === "999" ? "999" : "0";
    expect(await answer.json()).toMatchObject({
      resourceType: "OperationOutcome",
      issue: [
        { severity: "error", code: "not-found", diagnostics: `The requested import job "${shown}" was not found.` },
      ],
    });
    expect((await cancel(id)).status).toBe(404);
  });

  it("202 without a body before the plan", async () => {
    const idle = await openImportServer({ coordinate: false });
    try {
      const id = idOf(await idle.register(registration([input(await idle.file("a.ndjson", ""))])));
      const answer = await idle.status(id);
      expect(answer.status).toBe(202);
      expect(await answer.text()).toBe("");
      expect(answer.headers.get("x-progress")).toBe("0% (planning)");
      expect(answer.headers.get("retry-after")).toBe("1");
    } finally {
      await idle.close();
    }
  });

  it("202 with the finished units, then 200 with everything", async () => {
    const { id, urls } = await planned(25, 10);
    const units = await unitsOf(server, id);
    expect(units.map((unit) => [unit.input, unit.start, unit.end])).toEqual([
      [1, 0, 10],
      [1, 10, 20],
      [1, 20, 25],
      [2, 0, 10],
    ]);
    const before = await server.status(id);
    expect(before.status).toBe(202);
    expect(before.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await before.json()).toMatchObject({ output: [], error: [] });

    await completeUnit(server, units[0]?.id ?? "", { lines: 3, loaded: 3, created: 3 });
    await completeUnit(server, units[1]?.id ?? "", { lines: 2, loaded: 2, created: 1 });
    const partial = await server.status(id);
    expect(partial.status).toBe(202);
    expect(partial.headers.get("x-progress")).toMatch(/^57\.1% of 35 bytes, \d+ resources\/s$/);
    expect(partial.headers.get("retry-after")).toMatch(/^\d+$/);
    const inputUrl = urls[0];
    expect(await partial.json()).toMatchObject({ output: [{ type: "Patient", count: 5, inputUrl }], error: [] });

    await completeUnit(server, units[2]?.id ?? "", {});
    await completeUnit(server, units[3]?.id ?? "", { lines: 1, loaded: 1, created: 1 });
    const answer = await ended(id);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("retry-after")).toBeNull();
    expect(answer.headers.get("x-progress")).toBeNull();
    const body = (await answer.json()) as Record<string, unknown>;
    expect(Object.keys(body)).toEqual(["transactionTime", "request", "output", "error", "stoker"]);
    expect(body).toMatchObject({
      transactionTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/) as string,
      request: `${server.base}/$import`,
      output: [
        { type: "Patient", count: 5, inputUrl },
        { type: null, count: 1, inputUrl: urls[1] },
      ],
      error: [],
      stoker: { bytes: 35, totalBytes: 35, created: 5, updated: 0, unchanged: 0, deleted: 0 },
    });
    expect((body["stoker"] as Record<string, unknown>)["resourcesPerSecond"]).toBeTypeOf("number");
  });

  it("R-030: _details=true has one entry per unit", async () => {
    const { id } = await planned(67);
    for (const [n, unit] of (await unitsOf(server, id)).entries()) {
      await completeUnit(server, unit.id, n === 0 ? { lines: 1, loaded: 1 } : {});
    }
    await ended(id);
    const details = (await (await server.status(id, "?_details=true")).json()) as { output: { count: number }[] };
    expect(details.output.map((entry) => entry.count)).toEqual([1, 0, 0, 0, 0, 0, 0]);
    const plain = (await (await server.status(id)).json()) as { output: unknown[] };
    expect(plain.output).toHaveLength(1);
  });

  it("C-024: an empty file has one unit and one entry", async () => {
    const { id, urls } = await planned(0);
    const [unit, ...others] = await unitsOf(server, id);
    expect(others).toEqual([]);
    await completeUnit(server, unit?.id ?? "", {});
    const answer = await ended(id);
    expect(await answer.json()).toMatchObject({
      output: [{ type: "Patient", count: 0, inputUrl: urls[0] }],
      error: [],
    });
  });

  it.each<[string, JobFailure, number, string]>([
    [
      "a unit's failure names its file",
      { status: 400, code: "source-missing", text: "Input file deleted.", input: "file:///in/x" },
      400,
      "import operation failed for reason: Input file deleted. ErrorFile: file:///in/x",
    ],
    [
      "a 500 is hidden",
      { status: 500, code: "internal", text: "relation secret does not exist", input: "file:///in/x" },
      500,
      "import operation failed for reason: InternalServerError ErrorFile: file:///in/x",
    ],
    [
      "D-12 the size quota is not",
      { status: 500, code: "database-full", text: "The database '****' has reached its size quota." },
      500,
      "import operation failed for reason: The database '****' has reached its size quota.",
    ],
    [
      "the storage's own status",
      { status: 403, code: "source-forbidden", text: "Server failed to authenticate the request." },
      403,
      "import operation failed for reason: Server failed to authenticate the request.",
    ],
  ])("failed: %s", async (_name, failure, status, diagnostics) => {
    const { id } = await planned(25);
    const [first] = await unitsOf(server, id);
    await completeUnit(server, first?.id ?? "", { lines: 1, loaded: 1 });
    expect(await failJob(server.pool, id, failure)).toBe(true);
    expect(await failJob(server.pool, id, { status: 500, code: "internal", text: "later" })).toBe(false);
    const answer = await server.status(id);
    expect(answer.status).toBe(status);
    const text = await answer.text();
    expect(text).not.toContain("secret");
    expect(JSON.parse(text)).toMatchObject({ issue: [{ severity: "error", code: "processing", diagnostics }] });
    expect((await unitsOf(server, id)).map((unit) => unit.state)).toEqual([2, 4, 4]);
    // A genuine failure wins over a later cancellation.
    expect((await cancel(id)).status).toBe(409);
    expect((await server.status(id)).status).toBe(status);
  });

  it("7.2: a bad container name is the job's failure", async () => {
    const url = await server.file("container.ndjson", "");
    const container = { name: "errorContainerName", valueString: "Bad--Name" };
    const registered = await server.register(registration([input(url)], [container]));
    expect(registered.status).toBe(202);
    const answer = await ended(idOf(registered));
    expect(answer.status).toBe(400);
    const { issue } = (await answer.json()) as { issue: { diagnostics: string }[] };
    expect(issue[0]?.diagnostics).toBe(
      "import operation failed for reason: Error container name contains invalid characters. Only lowercase letters, " +
        "numbers, and hyphens are allowed. The name must begin and end with a letter or a number. The name can't contain " +
        `two consecutive hyphens. ErrorFile: ${url}`,
    );
  });

  it("4.1, 7.2: what is wrong with the files comes before a bad container name", async () => {
    const url = (await server.file("there.ndjson", "")).replace("there", "gone");
    const container = { name: "errorContainerName", valueString: "x" };
    expect((await ended(idOf(await server.register(registration([input(url)], [container]))))).status).toBe(404);
  });

  it("refuses a unit size that would fill the database with units", async () => {
    const url = await server.file("large.ndjson", new Uint8Array(1_000_001));
    const size = { name: "processingUnitBytesToRead", valueInteger: 1 };
    const answer = await ended(idOf(await server.register(registration([input(url)], [size]))));
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("at most 1000000 are possible");
  });
});

describe("DELETE (3.3)", () => {
  it("cancels at once and again; the units' workers are fenced off", async () => {
    const { id } = await planned(25);
    const [first] = await unitsOf(server, id);
    await server.pool.query("update import_unit set state = 1, fence = 7 where id = $1", [first?.id]);
    for (let time = 0; time < 2; time++) {
      const answer = await cancel(id);
      expect(answer.status).toBe(202);
      expect(await answer.text()).toBe("");
      const status = await server.status(id);
      expect(status.status).toBe(400);
      expect(await status.json()).toMatchObject({
        issue: [{ severity: "error", code: "processing", diagnostics: "User requested cancellation of operation." }],
      });
    }
    const units = await unitsOf(server, id);
    expect(units.map((unit) => unit.state)).toEqual([4, 4, 4]);
    expect(units[0]?.fence).toBe("8");
  });

  it("409 when the import has completed, again and again", async () => {
    const { id } = await planned(0);
    for (const unit of await unitsOf(server, id)) await completeUnit(server, unit.id, {});
    await ended(id);
    for (let time = 0; time < 2; time++) {
      const answer = await cancel(id);
      expect(answer.status).toBe(409);
      expect(await answer.json()).toMatchObject({
        issue: [{ severity: "error", code: "processing", diagnostics: "Import operation has already completed" }],
      });
    }
    expect((await server.status(id)).status).toBe(200);
  });

  it("cancels a job that is not planned yet", async () => {
    const idle = await openImportServer({ coordinate: false });
    try {
      const id = idOf(await idle.register(registration([input(await idle.file("a.ndjson", ""))])));
      expect((await fetch(`${idle.base}/_operations/import/${id}`, { method: "DELETE" })).status).toBe(202);
      idle.coordinate();
      expect((await idle.status(id)).status).toBe(400);
      expect(await unitsOf(idle, id)).toEqual([]);
    } finally {
      await idle.close();
    }
  });
});

describe("list of imports", () => {
  it("shows the newest first", async () => {
    const { id } = await planned(25);
    const answer = (await (await fetch(`${server.base}/_operations/import`)).json()) as { imports: unknown[] };
    expect(answer.imports[0]).toMatchObject({
      id,
      state: "running",
      mode: "IncrementalLoad",
      inputs: 1,
      bytes: 0,
      totalBytes: 25,
    });
  });

  it("goes on before an import", async () => {
    const { id: older } = await planned(25);
    const { id: newer } = await planned(25);
    const all = await list("");
    expect(all.slice(0, 2)).toEqual([newer, older]);
    expect(await list(`?before=${newer}`)).toEqual(all.slice(1));
    expect(await list(`?before=${all.at(-1) ?? ""}`)).toEqual([]);
  });
});

/** The ids of the imports that are listed, newest first. */
async function list(query: string): Promise<string[]> {
  const answer = (await (await fetch(`${server.base}/_operations/import${query}`)).json()) as {
    imports: { id: string }[];
  };
  return answer.imports.map((job) => job.id);
}

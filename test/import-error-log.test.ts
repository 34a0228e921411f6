import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAzurite, type Azurite } from "./support/azurite.ts";
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

interface Result {
  readonly error: readonly { type: string; count: number; inputUrl: string; url: string; rejectedUrl?: string }[];
}

let azurite: Azurite;
let server: ImportServer;

beforeAll(async () => {
  azurite = await openAzurite();
  server = await openImportServer({ sources: { azureConnectionString: azurite.connectionString } });
});

afterAll(async () => {
  await server.close();
  await azurite.close();
});

/** Lines of ten bytes each, line ends included; every third one is blank. */
const LINES = Array.from({ length: 9 }, (_, n) => (n % 3 === 1 ? "         " : `{"line":${String(n + 1)}}`));
const CONTENT = LINES.map((line) => `${line}\n`).join("");

function lineOf(number: number): { byteOffset: number; length: number } {
  let byteOffset = 0;
  for (let n = 0; n < number - 1; n++) byteOffset += (LINES[n]?.length ?? 0) + 1;
  return { byteOffset, length: LINES[number - 1]?.length ?? 0 };
}

/** Three units of thirty-odd bytes with three lines each; lines 3, 4 and 9 are rejected. */
async function runUnits(id: string, only?: readonly number[]): Promise<void> {
  const units = await plannedUnits(server, id);
  expect(units).toHaveLength(3);
  const outcomes = [
    {
      lines: 3,
      loaded: 1,
      rejected: [{ ...lineOf(3), line: 3, code: "structure", message: "Invalid Json encountered. Details: x" }],
    },
    {
      lines: 3,
      loaded: 1,
      rejected: [
        {
          ...lineOf(4),
          line: 1,
          code: "duplicate",
          message: "Failed to import duplicate resource, resource id: a{line}, line: {line}",
        },
      ],
    },
    { lines: 3, loaded: 1, rejected: [{ ...lineOf(9), line: 3, code: "value", expression: "Patient.gender" }] },
  ];
  for (const [n, unit] of units.entries()) {
    if (only === undefined || only.includes(n)) await completeUnit(server, unit.id, outcomes[n] ?? {});
  }
}

const UNIT = { name: "processingUnitBytesToRead", valueInteger: Math.ceil(CONTENT.length / 3) };

const EXPECTED = [
  [3, lineOf(3).byteOffset, "structure", "Invalid Json encountered. Details: x"],
  [4, lineOf(4).byteOffset, "duplicate", "Failed to import duplicate resource, resource id: a{line}, line: 4"],
  [9, lineOf(9).byteOffset, "value", "no good"],
] as const;

function expectLog(text: string): void {
  expect(text.endsWith("\n")).toBe(true);
  const outcomes = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(outcomes).toEqual(
    EXPECTED.map(([line, offset, code, message]) => ({
      resourceType: "OperationOutcome",
      issue: [
        {
          extension: [{ url: "urn:stoker:import:byte-offset", valueDecimal: offset }],
          severity: "error",
          code,
          details: { text: message },
          diagnostics: `Failed to process resource at line: ${String(line)} with stream start offset: 0`,
          ...(code === "value" ? { expression: ["Patient.gender"] } : {}),
        },
      ],
    })),
  );
}

async function result(id: string): Promise<Result> {
  const answer = await waitFor(
    () => server.status(id),
    (status) => status.status !== 202,
  );
  expect(answer.status).toBe(200);
  return (await answer.json()) as Result;
}

const REJECTED = [3, 4, 9].map((number) => `${LINES[number - 1] ?? ""}\n`).join("");

describe("error logs (6, D-06)", () => {
  it("of files are served by the server, with true line numbers over several units", async () => {
    const url = await server.file("bad.ndjson", CONTENT);
    const id = idOf(await server.register(registration([input(url, { type: "Patient" })], [UNIT])));
    await runUnits(id);
    const { error } = await result(id);
    const name = `Patient${id}_1.ndjson`;
    expect(error).toEqual([
      {
        type: "OperationOutcome",
        count: 3,
        inputUrl: url,
        url: `${server.base}/_operations/import/${id}/errors/${name}`,
        rejectedUrl: `${server.base}/_operations/import/${id}/rejected/${name}`,
      },
    ]);
    const log = await fetch(error[0]?.url ?? "");
    expect(log.headers.get("content-type")).toBe("application/fhir+ndjson; charset=utf-8");
    expectLog(await log.text());
    expectLog(await (await fetch(`${server.base}/_operations/import/${id}/errors`)).text());
    expect(await (await fetch(error[0]?.rejectedUrl ?? "")).text()).toBe(REJECTED);
    expect(server.published()).toBeGreaterThan(0);
    for (const wrong of [`Observation${id}_1.ndjson`, `Patient${id}_2.ndjson`, "x", `Patient${id}_1.txt`]) {
      expect((await fetch(`${server.base}/_operations/import/${id}/errors/${wrong}`)).status).toBe(404);
    }
  });

  it("can be read while units before are still at work", async () => {
    const url = await server.file("live.ndjson", CONTENT);
    const id = idOf(await server.register(registration([input(url)], [UNIT])));
    await runUnits(id, [1]);
    const partial = (await (await server.status(id)).json()) as Result;
    expect(partial.error).toHaveLength(1);
    const log = await (await fetch(partial.error[0]?.url ?? "")).text();
    expect(JSON.parse(log)).toMatchObject({
      issue: [
        {
          details: { text: "Failed to import duplicate resource, resource id: a{line}, line: unknown" },
          diagnostics: `Failed to process resource at byte offset: ${String(lineOf(4).byteOffset)}`,
        },
      ],
    });
    expect(await (await fetch(partial.error[0]?.rejectedUrl ?? "")).text()).toBe(`${LINES[3] ?? ""}\n`);
  });

  it("a file that changed since answers an error instead of other lines", async () => {
    const url = await server.file("changed.ndjson", CONTENT);
    const id = idOf(await server.register(registration([input(url)], [UNIT])));
    await runUnits(id);
    const { error } = await result(id);
    await server.file("changed.ndjson", CONTENT.replaceAll("line", "LINE!"));
    const answer = await fetch(error[0]?.rejectedUrl ?? "");
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ resourceType: "OperationOutcome" });
  });

  it("of blobs stand in the storage account, one per input; the rows are gone then", async () => {
    const good = await azurite.upload("inputs", "good.ndjson", CONTENT);
    const bad = await azurite.upload("inputs", "bad.ndjson", CONTENT);
    const container = { name: "errorContainerName", valueString: "my-errors" };
    const inputs = [input(bad.url, { type: "Patient", etag: bad.etag })];
    const id = idOf(await server.register(registration(inputs, [UNIT, container])));
    await runUnits(id);
    const { error } = await result(id);
    const name = `Patient${id}_1.ndjson`;
    expect(error).toEqual([
      {
        type: "OperationOutcome",
        count: 3,
        inputUrl: bad.url,
        url: `${azurite.blobEndpoint}/my-errors/${name}`,
        rejectedUrl: `${azurite.blobEndpoint}/my-errors/Patient${id}_1-rejected.ndjson`,
      },
    ]);
    expectLog((await azurite.download("my-errors", name)).toString());
    expect((await azurite.download("my-errors", `Patient${id}_1-rejected.ndjson`)).toString()).toBe(REJECTED);
    const redirect = await fetch(`${server.base}/_operations/import/${id}/errors/${name}`, { redirect: "manual" });
    expect(redirect.headers.get("location")).toBe(error[0]?.url);
    const { rows } = await server.pool.query(
      "select 1 from import_rejected_line where unit in (select id from import_unit where job = $1)",
      [id],
    );
    expect(rows).toEqual([]);

    // L-003: no log without an error
    const clean = idOf(await server.register(registration([input(good.url, { type: "Patient" })])));
    for (const unit of await plannedUnits(server, clean)) await completeUnit(server, unit.id, { lines: 9, loaded: 6 });
    expect((await result(clean)).error).toEqual([]);
  });

  it("a blob's etag may be written in any of the usual forms (1.7)", async () => {
    const blob = await azurite.upload("inputs", "etag.ndjson", "");
    const bare = blob.etag.replaceAll('"', "");
    for (const etag of [bare, `"${bare}"`, `W/"${bare}"`]) {
      const id = idOf(await server.register(registration([input(blob.url, { etag })])));
      for (const unit of await plannedUnits(server, id)) await completeUnit(server, unit.id, {});
      expect((await result(id)).error).toEqual([]);
    }
  });

  it("rejected lines longer than a read, and far apart, come byte for byte (D-19)", async () => {
    const lengths = [400_000, 10, 700_000, 300_000, 0, 600_000, 1];
    const lines = lengths.map((length, n) => String.fromCharCode(97 + n).repeat(length));
    const url = await server.file("long.ndjson", lines.join("\r\n"));
    const id = idOf(await server.register(registration([input(url)])));
    const [unit] = await plannedUnits(server, id);
    const offsets = lengths.map((_, n) => lengths.slice(0, n).reduce((sum, length) => sum + length + 2, 0));
    const rejected = [0, 1, 2, 5, 6].map((n) => ({
      byteOffset: offsets[n] ?? 0,
      line: n + 1,
      length: lengths[n] ?? 0,
    }));
    await completeUnit(server, unit?.id ?? "", { lines: 7, rejected });
    const { error } = await result(id);
    const text = await (await fetch(error[0]?.rejectedUrl ?? "")).text();
    expect(text === [0, 1, 2, 5, 6].map((n) => `${lines[n] ?? ""}\n`).join("")).toBe(true);
  });

  it("thousands of rejected lines come by pages", async () => {
    const url = await server.file("many.ndjson", "x\n".repeat(5000));
    const id = idOf(await server.register(registration([input(url)])));
    const [unit] = await plannedUnits(server, id);
    await server.pool.query(
      `insert into import_rejected_line (unit, byte_offset, line, length, code, message)
       select $1, n * 2, n + 1, 1, 'structure', 'bad' from generate_series(0, 4999) n`,
      [unit?.id],
    );
    await server.pool.query(
      "update import_unit set state = 2, lines = 5000, rejected = 5000, position = end_offset where id = $1",
      [unit?.id],
    );
    const { error } = await result(id);
    const log = (await (await fetch(error[0]?.url ?? "")).text()).trimEnd().split("\n");
    expect(log).toHaveLength(5000);
    expect(log.at(-1)).toContain("at line: 5000 ");
    expect(await (await fetch(error[0]?.rejectedUrl ?? "")).text()).toBe("x\n".repeat(5000));
  });
});

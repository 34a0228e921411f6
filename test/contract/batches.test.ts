import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorLog, openFullServer, type FullServer, type Json } from "../support/full-server.ts";
import { birthDate, patientLine, readShorthand } from "../support/version-cases.ts";

/** Rules that hold over the borders of batches, units, files and imports, and rows that need an import of their own. */

/** More lines than a batch holds. */
const FILLER_LINES = 9000;

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

const NOW = Date.now();
const line = (id: string, version: string): string => `${patientLine(id, readShorthand(version, NOW))}\n`;

interface FarCase {
  readonly row: string;
  readonly id: string;
  /** Stored by an earlier import. */
  readonly before?: string;
  /** The line of the first batch, and that of the second. */
  readonly first: string;
  readonly second: string;
  readonly error: "duplicate" | "conflict" | undefined;
  readonly history: readonly string[];
  /** The line of the first batch loses against that of the second, as it would inside one batch. */
  readonly firstLoses?: true;
}

describe("two lines in two batches of one import", () => {
  const CASES: readonly FarCase[] = [
    { row: "D-02 bare lines", id: "d02", first: "bare a", second: "bare b", error: "duplicate", history: ["1"] },
    {
      row: "D-02 bare lines, alike",
      id: "d02b",
      first: "bare a",
      second: "bare a",
      error: "duplicate",
      history: ["1"],
    },
    {
      row: "D-02, C-118 bare deletes",
      id: "d02c",
      first: "bare a x",
      second: "bare a x",
      error: "duplicate",
      history: ["1"],
    },
    {
      row: "D-02, C-098 versions without dates",
      id: "d02d",
      first: "v1 a",
      second: "v2 b",
      error: "duplicate",
      history: ["1"],
    },
    {
      row: "D-02, 5.4 (e) what an earlier import wrote is updated once",
      id: "d02e",
      before: "bare a",
      first: "bare b",
      second: "bare c",
      error: "duplicate",
      history: ["2", "1"],
    },
    {
      row: "D-03 the same line",
      id: "d03",
      first: "v2@2021 a",
      second: "v2@2021 a",
      error: "duplicate",
      history: ["2"],
    },
    { row: "D-03 other content", id: "d03b", first: "@2021 a", second: "@2021 b", error: "duplicate", history: ["1"] },
    {
      row: "D-03 another version",
      id: "d03c",
      first: "v9@2021 a",
      second: "v10@2021 b",
      error: "duplicate",
      history: ["9"],
    },
    {
      row: "D-03 the line of an earlier import twice",
      id: "d03d",
      before: "v2@2021 a",
      first: "v2@2021 a",
      second: "v2@2021 a",
      error: "duplicate",
      history: ["2"],
    },
    {
      row: "D-02 bare lines equal to what an earlier import wrote",
      id: "d02f",
      before: "bare a",
      first: "bare a",
      second: "bare a",
      error: "duplicate",
      history: ["1"],
    },
    {
      row: "D-02 a bare line equal to what an earlier import wrote, then another",
      id: "d02g",
      before: "bare a",
      first: "bare a",
      second: "bare b",
      error: "duplicate",
      history: ["1"],
    },
    {
      row: "D-04, C-058 the later date first",
      id: "d04d",
      before: "v2@2002 a",
      first: "v3@2003 b",
      second: "v3@2001 c",
      error: "duplicate",
      history: ["3", "2"],
    },
    {
      row: "D-04, C-056 the date again, with a higher version",
      id: "d04e",
      before: "v2@2002 a",
      first: "v3@2003 b",
      second: "v4@2003 c",
      error: "duplicate",
      history: ["3", "2"],
    },
    {
      row: "D-04, C-068 version and date out of step",
      id: "d04f",
      first: "v3@2001 a",
      second: "v2@2004 b",
      error: "conflict",
      history: ["2"],
      firstLoses: true,
    },
    {
      row: "D-04, C-072 the same the other way round",
      id: "d04g",
      first: "v2@2004 a",
      second: "v5@2003 b",
      error: "conflict",
      history: ["2"],
    },
    {
      row: "D-04, C-062 the version again",
      id: "d04",
      first: "v2@2002 a",
      second: "v2@2005 b",
      error: "duplicate",
      history: ["2"],
      firstLoses: true,
    },
    {
      row: "D-04, C-062 a version that was there before",
      id: "d04b",
      before: "v2@2002 a",
      first: "v3@2003 b",
      second: "v2@2005 c",
      error: "conflict",
      history: ["3", "2"],
    },
    {
      row: "D-04, C-056 a lower version of a date",
      id: "d04c",
      before: "v2@2002 a",
      first: "v3@2003 b",
      second: "v1@2003 c",
      error: "duplicate",
      history: ["3", "2"],
    },
    {
      row: "C-064 an earlier version",
      id: "c064",
      first: "v2@2002 b",
      second: "v1@2001 a",
      error: undefined,
      history: ["2", "1"],
    },
    {
      row: "C-113 a deletion",
      id: "c113",
      first: "@2001 a",
      second: "@2002 a x",
      error: undefined,
      history: ["2", "1"],
    },
  ];
  let errors: Awaited<ReturnType<typeof errorLog>>;

  beforeAll(async () => {
    const before = CASES.flatMap((one) => (one.before === undefined ? [] : [line(one.id, one.before)]));
    await server.load({ inputs: [await server.file("far-before.ndjson", before.join(""))] });
    const lines = [
      ...CASES.map((one) => line(one.id, one.first)),
      ...Array.from({ length: FILLER_LINES }, (_, n) => line(`filler-${String(n)}`, "bare f")),
      ...CASES.map((one) => line(one.id, one.second)),
    ];
    const outcome = await server.load({ inputs: [await server.file("far.ndjson", lines.join(""))] });
    expect(outcome.status).toBe(200);
    errors = await errorLog(outcome);
    expect(outcome.body.output[0].count).toBe(lines.length - errors.length);
  });

  const numbered = CASES.map((one, index) => ({ ...one, number: index + 1 }));
  test.each(numbered)("$row", async (one) => {
    const second = CASES.length + FILLER_LINES + one.number;
    const own = errors.filter((error) => error.line === one.number || error.line === second);
    const rejected = one.firstLoses === true ? one.number : second;
    const text =
      one.error === "conflict"
        ? "Failed to import resource with version conflict"
        : "Failed to import duplicate resource";
    expect(own.map(({ line, code, text }) => ({ line, code, text }))).toEqual(
      one.error === undefined
        ? []
        : [{ line: rejected, code: one.error, text: `${text}, resource id: ${one.id}, line: ${String(rejected)}` }],
    );
    const { entry } = await server.json(`Patient/${one.id}/_history`);
    expect(entry.map(({ response }: Json) => response.etag)).toEqual(one.history.map((version) => `W/"${version}"`));
  });
});

describe("two files of one import", () => {
  const ids = Array.from({ length: 500 }, (_, n) => `two-${String(n).padStart(3, "0")}`);
  const filesOf = async (name: string, prefix: string): Promise<string[]> => [
    await server.file(`${name}-a.ndjson`, ids.map((id) => line(prefix + id, "bare a")).join("")),
    // In another order, so that batches meet one another crosswise
    await server.file(
      `${name}-b.ndjson`,
      ids
        .toReversed()
        .map((id) => line(prefix + id, "bare b"))
        .join(""),
    ),
  ];

  test.each([
    { row: "C-093, D-02 bare lines", mode: "IncrementalLoad" as const, prefix: "i" },
    { row: "C-134, D-02 InitialLoad", mode: "InitialLoad" as const, prefix: "n" },
  ])("$row: of each id exactly one is loaded, the other is a duplicate", async ({ mode, prefix }) => {
    const inputs = await filesOf(mode, prefix);
    const { body } = await server.load({ inputs, mode });
    const counts = body.output.map((entry: Json) => entry.count);
    expect(counts[0] + counts[1]).toBe(ids.length);
    expect(body.error.reduce((sum: number, entry: Json) => sum + entry.count, 0)).toBe(ids.length);
    for (const [index, content] of ["a", "b"].entries()) {
      // What is stored is what was counted as loaded
      const query = `Patient?birthdate=${birthDate(content)}`;
      const found = (await server.search(query)).filter((one) => one.startsWith(`Patient/${prefix}two`));
      expect(found).toHaveLength(counts[index]);
    }
    const { total } = await server.json(`Patient/${prefix}${ids[0] ?? ""}/_history`);
    expect(total).toBe(1);
  });

  test("C-131: the same files again", async () => {
    const inputs = await filesOf("again", "n");
    const { body } = await server.load({ inputs, mode: "InitialLoad" });
    expect(body.output.map((entry: Json) => entry.count)).toEqual([0, 0]);
    expect(body.error.map((entry: Json) => entry.count)).toEqual([ids.length, ids.length]);
  });

  test("C-137: two entries with count 1", async () => {
    const inputs = [
      await server.file("c137a.ndjson", line("c137a", "bare a")),
      await server.file("c137b.ndjson", line("c137b", "bare a")),
    ];
    const { status, body } = await server.load({ inputs, mode: "InitialLoad" });
    expect(status).toBe(200);
    expect(body.output).toEqual(inputs.map((inputUrl) => ({ type: null, count: 1, inputUrl })));
    expect(body.error).toEqual([]);
  });
});

describe("many writers of the same resources", () => {
  const ids = Array.from({ length: 1200 }, (_, n) => `many-${String(n).padStart(4, "0")}`);
  const versions = ["v1@2001 a", "v2@2002 b", "v3@2003 c x", "v4@2004 d", "v5@2005 e"];

  /** One file for each version, the ids in orders that cross one another. */
  const files = async (name: string): Promise<string[]> =>
    await Promise.all(
      versions.map(async (version, index) => {
        const ordered = ids.map(
          (_id, n) => ids[(n * ([1, 7, 11, 13, 17][index] ?? 1) + 100 * index) % ids.length] ?? "",
        );
        const text = ordered.map((id) => line(name + id, version)).join("");
        return await server.file(`${name}${String(index)}.ndjson`, text);
      }),
    );

  async function check(name: string): Promise<void> {
    for (const content of "abcde") {
      const found = (await server.search(`Patient?birthdate=${birthDate(content)}`)).filter((one) =>
        one.startsWith(`Patient/${name}many`),
      );
      expect(found).toHaveLength(content === "e" ? ids.length : 0);
    }
    for (const id of [ids[0], ids[599], ids[1199]]) {
      const { entry } = await server.json(`Patient/${name}${id ?? ""}/_history`);
      expect(entry.map(({ response }: Json) => response.etag)).toEqual([5, 4, 3, 2, 1].map((n) => `W/"${String(n)}"`));
    }
  }

  test("5.4, C-063, C-064: five files of one import, in small units", async () => {
    const inputs = await files("one");
    const { body } = await server.load({ inputs, unitBytes: 4000 });
    expect(body.error).toEqual([]);
    expect(body.output.map((entry: Json) => entry.count)).toEqual(inputs.map(() => ids.length));
    expect(body.stoker).toMatchObject({
      created: ids.length,
      updated: 4 * ids.length,
      unchanged: 0,
      deleted: ids.length,
    });
    await check("one");
  });

  test("5.4, C-063, C-064: five imports at once", async () => {
    const inputs = await files("five");
    const outcomes = await Promise.all(inputs.map((url) => server.load({ inputs: [url], unitBytes: 4000 })));
    for (const { status, body } of outcomes) {
      expect(status).toBe(200);
      expect(body).toMatchObject({ output: [{ count: ids.length }], error: [] });
    }
    await check("five");
  });
});

test("C-097: a bare line waits until the clock has passed a date of its batch", async () => {
  const dated = readShorthand("@now+8s b", Date.now());
  const content = `${line("c097", "bare a")}${patientLine("c097", dated)}\n`;
  const { body } = await server.load({ inputs: [await server.file("c097.ndjson", content)] });
  expect(body).toMatchObject({ output: [{ count: 2 }], error: [] });
  const { entry } = await server.json("Patient/c097/_history");
  expect(entry.map(({ resource }: Json) => [resource.meta.versionId, resource.birthDate])).toEqual([
    ["2", birthDate("a")],
    ["1", birthDate("b")],
  ]);
  expect(Date.parse(entry[1].resource.meta.lastUpdated)).toBe(dated.lastUpdated);
  expect(Date.parse(entry[0].resource.meta.lastUpdated)).toBeGreaterThan(Number(dated.lastUpdated));
});

test("C-150: versions of two types with one id, interleaved", async () => {
  const observation = { resourceType: "Observation", id: "c150", status: "final" };
  const meta = { versionId: "1", lastUpdated: "2001-01-01T00:00:00Z" };
  const content = [
    line("c150", "v1@2001 a"),
    `${JSON.stringify({ ...observation, meta })}\n`,
    line("c150", "v2@2002 b"),
  ];
  const { body } = await server.load({ inputs: [await server.file("c150.ndjson", content.join(""))] });
  expect(body).toMatchObject({ output: [{ count: 3 }], error: [] });
  expect((await server.json("Patient/c150")).meta.versionId).toBe("2");
  expect((await server.json("Observation/c150")).meta.versionId).toBe("1");
  expect(await server.search("?_id=c150&_type=Patient,Observation")).toEqual(["Observation/c150", "Patient/c150"]);
});

describe("R-030: the unit size", () => {
  const patient = '{"resourceType":"Patient","id":"r030","birthDate":"1961-01-01"}   \n';
  test.each([
    { unitBytes: 10, counts: [1, 0, 0, 0, 0, 0, 0] },
    { unitBytes: 0, counts: [1] },
    { unitBytes: undefined, counts: [1] },
  ])("$unitBytes", async ({ unitBytes, counts }) => {
    expect(Buffer.byteLength(patient)).toBe(67);
    const url = await server.file(`r030-${String(unitBytes)}.ndjson`, patient);
    const outcome = await server.load({ inputs: [url], ...(unitBytes === undefined ? {} : { unitBytes }) });
    expect(outcome.body.output).toEqual([{ type: null, count: 1, inputUrl: url }]);
    const detailed = await server.json(`${outcome.location}?_details=true`);
    expect(detailed.output.map((entry: Json) => entry.count)).toEqual(counts);
  });
});

const inputOf = async (name: string): Promise<{ inputs: string[] }> => ({
  inputs: [await server.file(`${name}.ndjson`, line(name, "bare a"))],
});

describe("the wire", () => {
  test("3.2: the result's head", async () => {
    const begun = Date.now();
    const { body, location } = await server.load(await inputOf("head"));
    expect(body.request).toBe(`${server.base}/$import`);
    expect(body.transactionTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00$/);
    expect(Date.parse(body.transactionTime)).toBeGreaterThanOrEqual(begun);
    expect(Date.parse(body.transactionTime)).toBeLessThanOrEqual(Date.now());
    expect(body.stoker).toMatchObject({ loaded: 1, created: 1, rejected: 0, bytes: expect.any(Number) });
    expect(body.stoker.resourcesPerSecond).toBeGreaterThanOrEqual(0);
    expect((await fetch(location)).headers.get("content-type")).toMatch(/^application\/json/);
  });

  test.each([
    ["D-16 respond-async among others", { prefer: "handling=lenient, respond-async, wait=10" }, 202],
    ["D-17 application/json", { "content-type": "application/json" }, 202],
    ["R-001 no Prefer", { prefer: "" }, 400],
    ["R-002 another Content-Type", { "content-type": "text/plain" }, 400],
  ])("%s", async (row, headers, status) => {
    const response = await server.register(await inputOf(row.slice(0, 4).toLowerCase()), headers);
    expect(response.status).toBe(status);
  });

  test("R-020, R-021: registered again, nothing is imported again", async () => {
    const options = await inputOf("r020");
    const first = await server.load(options);
    const again = await server.load(options);
    expect(again.location).toBe(first.location);
    expect(again.body).toEqual(first.body);
    expect((await server.json("Patient/r020/_history")).total).toBe(1);
  });

  test("D-26: a missing file is found when the import starts", async () => {
    const [url = ""] = (await inputOf("d26")).inputs;
    const { status, body } = await server.load({ inputs: [url.replace("d26", "missing")] });
    expect(status).toBe(404);
    expect(body.issue[0]).toMatchObject({ severity: "error", code: "processing" });
    expect(body.issue[0].diagnostics).toMatch(/^import operation failed for reason: /);
  });

  test("D-26: a link that leaves the root is refused", async () => {
    await symlink("/etc", join(server.folder, "link"));
    const response = await server.register({ inputs: [pathToFileURL(join(server.folder, "link", "passwd")).href] });
    expect(response.status).toBe(400);
  });

  test.each(["file:///etc/passwd", "https://elsewhere.blob.core.windows.net/c/x.ndjson"])(
    "D-26, R-012: %s is refused",
    async (url) => {
      const response = await server.register({ inputs: [url] });
      expect(response.status).toBe(400);
      expect((await response.json()) as Json).toMatchObject({
        issue: [{ diagnostics: "input.url must match the configured integration storage account endpoint." }],
      });
    },
  );

  test("3.3: a completed import cannot be cancelled", async () => {
    const { location } = await server.load(await inputOf("cancelled"));
    for (let time = 0; time < 2; time++) {
      const response = await fetch(location, { method: "DELETE" });
      expect(response.status).toBe(409);
      expect(((await response.json()) as Json).issue[0].diagnostics).toBe("Import operation has already completed");
    }
  });

  test("3.3: cancelled while it runs: 400 at once, repeatable, and nothing more is written", async () => {
    // Runs for eight seconds (C-097)
    const dated = patientLine("cancel", readShorthand("@now+8s b", Date.now()));
    const url = await server.file("cancel.ndjson", `${line("cancel", "bare a")}${dated}\n`);
    const registered = await server.register({ inputs: [url] });
    const location = registered.headers.get("content-location") ?? "";
    for (let time = 0; time < 2; time++) {
      expect((await fetch(location, { method: "DELETE" })).status).toBe(202);
      const status = await fetch(location);
      expect(status.status).toBe(400);
      expect(((await status.json()) as Json).issue[0]).toMatchObject({
        code: "processing",
        diagnostics: "User requested cancellation of operation.",
      });
    }
    expect((await server.get("Patient/cancel")).status).toBe(404);
  });
});

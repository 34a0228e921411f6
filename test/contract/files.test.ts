import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorLog, openFullServer, type FullServer, type Json, type Outcome } from "../support/full-server.ts";
import { patient } from "../support/line-cases.ts";

/** Contract 2 and 5.1, about whole files: one import of them all. */

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

const one = (id: string): string => JSON.stringify(patient(id));

describe("one file each, in one import", () => {
  const large = JSON.stringify({
    resourceType: "Binary",
    id: "c020",
    contentType: "text/plain",
    data: Buffer.alloc(11_250_000, "stoker").toString("base64"),
  });
  const compressed = gzipSync(`${one("c028")}\n`);
  const badIds = ["#x", "a b", "under_score", "x/y", "ü"];
  const FILES: readonly {
    row: string;
    name: string;
    type?: string;
    content: string | Uint8Array;
    loaded: number;
    errors: readonly { line: number; text: RegExp }[];
    found: readonly string[];
  }[] = [
    {
      row: "C-002 no final line end",
      name: "c002",
      content: `${one("c002a")}\n${one("c002b")}`,
      loaded: 2,
      errors: [],
      found: ["c002a", "c002b"],
    },
    {
      row: "C-003 CRLF",
      name: "c003",
      content: `${one("c003a")}\r\noops\r\n${one("c003b")}\r\n`,
      loaded: 2,
      errors: [{ line: 2, text: /^Invalid Json/ }],
      found: ["c003a", "c003b"],
    },
    {
      row: "C-004 an empty line (D-06: line 3)",
      name: "c004",
      content: `${one("c004")}\n\noops\n`,
      loaded: 1,
      errors: [{ line: 3, text: /^Invalid Json/ }],
      found: ["c004"],
    },
    {
      row: "C-005 blank lines (D-08)",
      name: "c005",
      content: `   \n\t\n \r\n${one("c005")}\n  `,
      loaded: 1,
      errors: [],
      found: ["c005"],
    },
    {
      row: "C-006 byte order mark",
      name: "c006",
      content: `\u{FEFF}${one("c006")}\n`,
      loaded: 1,
      errors: [],
      found: ["c006"],
    },
    {
      row: "C-007, L-001 the third of four lines is bad",
      name: "c007",
      content: `${one("c007a")}\n${one("c007b")}\ninvalid-row\n${one("c007c")}\n`,
      loaded: 3,
      errors: [{ line: 3, text: /^Invalid Json encountered\. Details: / }],
      found: ["c007a", "c007b", "c007c"],
    },
    {
      row: "C-018 CR alone is no line end (D-01: refused)",
      name: "c018",
      content: `${one("c018a")}\r${one("c018b")}\r`,
      loaded: 0,
      errors: [{ line: 1, text: /^Invalid Json/ }],
      found: [],
    },
    { row: "C-020 a line of 15 MB", name: "c020", content: `${large}\n`, loaded: 1, errors: [], found: [] },
    {
      row: "C-021 another type than declared",
      name: "c021",
      type: "Observation",
      content: [1, 2, 3, 4].map((n) => `${one(`c021-${String(n)}`)}\n`).join(""),
      loaded: 0,
      errors: [1, 2, 3, 4].map((line) => ({ line, text: /^Resource type not match\.$/ })),
      found: [],
    },
    {
      row: "C-022 two types in a file",
      name: "c022",
      content: `${one("c022")}\n${JSON.stringify({ resourceType: "Observation", id: "c022" })}\n`,
      loaded: 2,
      errors: [],
      found: ["c022"],
    },
    { row: "C-024 an empty file", name: "c024", content: "", loaded: 0, errors: [], found: [] },
    {
      row: "C-025 only invalid lines",
      name: "c025",
      content: "a\nb\nc",
      loaded: 0,
      errors: [1, 2, 3].map((line) => ({ line, text: /^Invalid Json/ })),
      found: [],
    },
    {
      row: "C-027 declared Parameters",
      name: "c027a",
      type: "Parameters",
      content: `${JSON.stringify({ resourceType: "Parameters", id: "c027" })}\n`,
      loaded: 1,
      errors: [],
      found: [],
    },
    {
      row: "C-027 declared OperationOutcome",
      name: "c027b",
      type: "OperationOutcome",
      content: `${JSON.stringify({ resourceType: "OperationOutcome", id: "c027" })}\n`,
      loaded: 1,
      errors: [],
      found: [],
    },
    {
      row: "C-028 compressed",
      name: "c028",
      content: compressed,
      loaded: 0,
      errors: [
        { line: 1, text: /^The file is compressed with gzip: unpack it \(gunzip\) and import what is in it\.$/ },
      ],
      found: [],
    },
    {
      row: "a Bundle over several lines",
      name: "bundle",
      content: JSON.stringify({ resourceType: "Bundle", entry: [{ resource: patient("b") }] }, undefined, 2),
      loaded: 0,
      errors: [{ line: 1, text: /^The file is one Bundle over several lines, not NDJSON/ }],
      found: [],
    },
    {
      row: "a Bundle without an id as the only line",
      name: "lone-bundle",
      content: `${JSON.stringify({ resourceType: "Bundle", type: "transaction", entry: [] })}\n`,
      loaded: 0,
      errors: [{ line: 1, text: /^The file is one Bundle on one line, not NDJSON, and it has no id/ }],
      found: [],
    },
    {
      row: "an array",
      name: "array",
      content: `[\n${one("array-1")},\n${one("array-2")}\n]\n`,
      loaded: 0,
      errors: [{ line: 1, text: /^The file is a JSON array, not NDJSON/ }],
      found: [],
    },
    {
      row: "a table",
      name: "table",
      content: "id,family\n1,Ada\n2,Grace\n",
      loaded: 0,
      errors: [{ line: 1, text: /^The file is a table of text \(CSV\), not NDJSON/ }],
      found: [],
    },
    {
      row: "a byte order mark inside a file",
      name: "mark",
      content: `${one("mark-1")}\n\ufeff${one("mark-2")}\n`,
      loaded: 1,
      errors: [{ line: 2, text: /unexpected byte order mark \(U\+FEFF\) at character 1, expected a value/ }],
      found: ["mark-1"],
    },
    {
      row: "C-039 good and bad ids mixed",
      name: "c039",
      content: badIds.map((id, n) => `${one(id)}\n${one(`c039-${String(n)}`)}\n`).join(""),
      loaded: 5,
      errors: badIds.map((id, n) => ({
        line: 2 * n + 1,
        text: new RegExp(`^Invalid resource id: '${id}'\\.`),
      })),
      found: [0, 1, 2, 3, 4].map((n) => `c039-${String(n)}`),
    },
    {
      row: "L-003 a declared type and no errors",
      name: "l003",
      type: "Patient",
      content: `${one("l003")}\n`,
      loaded: 1,
      errors: [],
      found: ["l003"],
    },
    {
      row: "L-004 bad JSON, a duplicate and a conflict (D-06: in file order)",
      name: "l004",
      content: [
        one("l004a"),
        JSON.stringify(patient("l004b", { meta: { versionId: "-1", lastUpdated: "2021-01-01T00:00:00Z" } })),
        one("l004a"),
        "oops",
      ].join("\n"),
      loaded: 1,
      errors: [
        { line: 2, text: /^Failed to import resource with version conflict, resource id: l004b, line: 2$/ },
        { line: 3, text: /^Failed to import duplicate resource, resource id: l004a, line: 3$/ },
        { line: 4, text: /^Invalid Json/ },
      ],
      found: ["l004a"],
    },
  ];

  let outcome: Outcome;
  let detailed: Json;
  const urls = new Map<string, string>();
  beforeAll(async () => {
    for (const { name, content } of FILES) urls.set(name, await server.file(`${name}.ndjson`, content));
    outcome = await server.load({
      inputs: FILES.map(({ name, type }) => ({ url: urls.get(name) ?? "", ...(type === undefined ? {} : { type }) })),
    });
    detailed = await server.json(`${outcome.location}?_details=true`);
  });

  test.each(FILES)("$row", async ({ name, type, loaded, errors, found }) => {
    const url = urls.get(name) ?? "";
    expect(outcome.status).toBe(200);
    expect(outcome.body.output).toContainEqual({ type: type ?? null, count: loaded, inputUrl: url });
    const entry = outcome.body.error.find((entry: Json) => entry.inputUrl === url);
    if (errors.length === 0) {
      expect(entry).toBeUndefined();
    } else {
      expect(entry).toMatchObject({ type: "OperationOutcome", count: errors.length });
      expect(entry.url).toMatch(new RegExp(`/errors/${type ?? ""}\\d+_\\d+\\.ndjson$`));
    }
    const logged = await errorLog(outcome, url);
    expect(logged.map(({ line }) => line)).toEqual(errors.map(({ line }) => line));
    for (const [index, { text }] of errors.entries()) expect(logged[index]?.text).toMatch(text);
    const wanted = found.map((id) => `Patient/${id}`);
    expect((await server.search("Patient")).filter((one) => one.startsWith(`Patient/${name}`))).toEqual(wanted);
  });

  test("3.2: output and error have one entry for each input, in the order of the request (D-06, D-07)", () => {
    expect(outcome.body.output.map((entry: Json) => entry.inputUrl)).toEqual(FILES.map(({ name }) => urls.get(name)));
    expect(outcome.body.error.map((entry: Json) => entry.inputUrl)).toEqual(
      FILES.filter(({ errors }) => errors.length > 0).map(({ name }) => urls.get(name)),
    );
  });

  test("a file of the wrong kind is rejected once, however many units it has; there are no lines to correct", async () => {
    const entry = { resource: patient("b", { name: [{ family: "x".repeat(50) }] }) };
    const bundle = JSON.stringify(
      { resourceType: "Bundle", entry: Array.from({ length: 20 }, () => entry) },
      undefined,
      2,
    );
    const rows = `[\n${Array.from({ length: 20 }, (_, n) => one(`units-${String(n)}`)).join(",\n")}\n]`;
    const inputs = [await server.file("units-bundle.ndjson", bundle), await server.file("units-array.ndjson", rows)];
    const { status, body } = await server.load({ inputs, unitBytes: 100 });
    expect(status).toBe(200);
    expect(body.output.map((output: Json) => output.count)).toEqual([0, 0]);
    expect(body.error.map((error: Json) => error.count)).toEqual([1, 1]);
    expect(await (await fetch(body.error[0].rejectedUrl)).text()).toBe("");
    expect(await server.search("Patient?_id=units-19")).toEqual([]);
  });

  test("a file that is not UTF-8 fails the import", async () => {
    const url = await server.file("utf16.ndjson", Buffer.from(`${one("utf16")}\n`, "utf16le"));
    const { status, body } = await server.load({ inputs: [url] });
    expect(status).toBe(400);
    expect(body.issue[0]).toMatchObject({
      code: "processing",
      diagnostics: `import operation failed for reason: Input file is encoded as UTF-16LE; only UTF-8 is read. ErrorFile: ${url}`,
    });
  });

  test("C-020: the line is whole, and the second unit has nothing", async () => {
    const units = detailed.output.filter((entry: Json) => entry.inputUrl === urls.get("c020"));
    expect(units.map((entry: Json) => entry.count)).toEqual([1, 0]);
    expect((await server.json("Binary/c020")).data).toHaveLength(15_000_000);
  });

  test("D-06, D-19: the rejected lines themselves, and the sums", async () => {
    const { error, stoker } = outcome.body;
    const entry = error.find((entry: Json) => entry.inputUrl === urls.get("c039"));
    const lines = (await (await fetch(entry.rejectedUrl)).text()).split("\n").filter((line) => line !== "");
    expect(lines).toEqual(badIds.map(one));
    const loaded = FILES.reduce((sum, file) => sum + file.loaded, 0);
    const rejected = FILES.reduce((sum, file) => sum + file.errors.length, 0);
    expect(stoker).toMatchObject({ loaded, rejected, created: loaded, updated: 0, unchanged: 0, deleted: 0 });
    expect(stoker.bytes).toBe(stoker.totalBytes);
  });

  test("D-06: the log of all inputs", async () => {
    const all = await (await fetch(`${outcome.location}/errors`)).text();
    const apart = await Promise.all(
      outcome.body.error.map(async (entry: Json) => await (await fetch(entry.url)).text()),
    );
    expect(all).toBe(apart.join(""));
  });
});

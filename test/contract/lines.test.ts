import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  errorLog,
  openFullServer,
  type FullServer,
  type Json,
  type LoggedError,
  type Outcome,
} from "../support/full-server.ts";
import { patient, conditional, searchParameter, CASES } from "../support/line-cases.ts";

/** Contract 5.1 to 5.3 and 5.6, about single lines: one import of one file for each mode, one line for each row. */

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

const textOf = (line: unknown): string =>
  typeof line === "string" ? line : JSON.stringify(typeof line === "function" ? (line as () => unknown)() : line);

describe("one line each (IncrementalLoad)", () => {
  let outcome: Outcome;
  let errors: LoggedError[];
  let lines: string[];
  beforeAll(async () => {
    lines = CASES.map(({ line }) => textOf(line));
    const url = await server.file("lines.ndjson", lines.map((line) => `${line}\n`).join(""));
    outcome = await server.load({ inputs: [url] });
    errors = await errorLog(outcome);
  });

  test("every line is loaded or refused (6.3, D-06)", () => {
    const refused = CASES.filter((one) => one.refused !== undefined).length;
    expect(outcome.status).toBe(200);
    expect(outcome.body.output[0].count).toBe(CASES.length - refused);
    expect(errors).toHaveLength(refused);
    expect(errors.map(({ line }) => line)).toEqual(errors.map(({ line }) => line).toSorted((a, b) => a - b));
  });

  test.each(CASES.map((one, index) => ({ ...one, number: index + 1 })))("$row", async (one) => {
    const error = errors.find(({ line }) => line === one.number);
    if (one.refused !== undefined) {
      expect(error).toMatchObject({ code: one.refused.code, expression: one.refused.expression });
      if (typeof one.refused.text === "string") expect(error?.text).toBe(one.refused.text);
      else expect(error?.text).toMatch(one.refused.text);
      const before = lines.slice(0, one.number - 1).join("\n");
      expect(error?.offset).toBe(one.number === 1 ? 0 : Buffer.byteLength(before) + 1);
      return;
    }
    expect(error).toBeUndefined();
    const { resourceType, id } = JSON.parse(lines[one.number - 1] ?? "");
    const read = await server.get(`${resourceType}/${id}`);
    const body: Json = await read.json();
    if (one.stored?.status !== undefined) expect(read.status).toBe(one.stored.status);
    if (one.stored?.etag !== undefined) expect(read.headers.get("etag")).toBe(one.stored.etag);
    for (const name of one.stored?.absent ?? []) expect(body).not.toHaveProperty(name);
    if (one.stored?.body !== undefined) expect(body).toMatchObject(expectInstants(body, one.stored.body));
    const found = await server.search(`${resourceType}?_id=${id}`);
    expect(found).toEqual(read.status === 200 ? [`${resourceType}/${id}`] : []);
  });

  test("C-001: version 1, with the server's time", async () => {
    const { meta } = await server.json("Patient/c001");
    expect(meta.versionId).toBe("1");
    expect(Math.abs(Date.parse(meta.lastUpdated) - Date.now())).toBeLessThan(600_000);
  });

  test("C-017, C-026, C-043: neither refused lines nor entries of a Bundle are resources", async () => {
    expect(await server.search("Patient?_id=c017a,c017b,c019,c026p,c043")).toEqual([]);
  });

  test("C-041, C-042: to the millisecond, the offset kept", async () => {
    expect((await server.json("Patient/c041")).meta.lastUpdated).toBe("2021-05-06T07:08:09.123Z");
    expect((await server.json("Patient/c042")).meta.lastUpdated).toBe("2021-05-06T17:08:09+10:00");
    expect(await server.search("Patient?_lastUpdated=2021-05-06T07:08:09.123Z")).toEqual(["Patient/c041"]);
    expect(await server.search("Patient?_lastUpdated=2021-05-06T07:08:09Z")).toContain("Patient/c042");
  });

  test("C-042: the same instant with another offset is the same version", async () => {
    const again = patient("c042", { meta: { lastUpdated: "2021-05-06T07:08:09Z" } });
    const url = await server.file("c042.ndjson", JSON.stringify(again));
    const outcome = await server.load({ inputs: [url] });
    expect(outcome.body).toMatchObject({ output: [{ count: 1 }], error: [], stoker: { unchanged: 1 } });
    const history = await server.json("Patient/c042/_history");
    expect(history.total).toBe(1);
    expect(history.entry[0].resource.meta.lastUpdated).toBe("2021-05-06T17:08:09+10:00");
  });

  test("C-122: the deletion is the history's only entry", async () => {
    const { entry } = await server.json("Patient/c122/_history");
    expect(entry).toMatchObject([{ request: { method: "DELETE" }, response: { status: "204", etag: 'W/"1"' } }]);
  });

  test("C-151, D-15: found as a very large number", async () => {
    expect(await server.search("Observation?value-quantity=gt1000000")).toEqual(["Observation/c151"]);
  });
});

/** A stored `meta` may be written in another form: instants are compared as such. */
function expectInstants(body: Json, expected: Json): Json {
  const wanted = expected.meta?.lastUpdated as string | undefined;
  if (wanted === undefined) return expected;
  expect(Date.parse(body.meta.lastUpdated)).toBe(Date.parse(wanted));
  return { ...expected, meta: { ...expected.meta, lastUpdated: body.meta.lastUpdated } };
}

describe("InitialLoad", () => {
  test("C-023, C-049, C-135, C-136: what the mode changes", async () => {
    const lines = [
      searchParameter,
      { ...conditional, id: "initial-049" },
      { ...conditional, id: "initial-049b", subject: undefined, contained: [{ ...conditional, id: "c" }] },
      patient("initial-135", { meta: { versionId: "9", lastUpdated: "2999-01-01T00:00:00Z" } }),
      { resourceType: "Observation", id: "initial-135", status: "final" },
    ];
    const url = await server.file("initial.ndjson", lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const outcome = await server.load({ inputs: [url], mode: "InitialLoad" });
    expect(outcome.body.output).toEqual([{ type: null, count: 2, inputUrl: url }]);
    expect((await errorLog(outcome)).map(({ line, code, text }) => ({ line, code, text }))).toEqual([
      { line: 1, code: "not-supported", text: "SearchParameter resources cannot be processed by import." },
      ...[2, 3].map((line) => ({
        line,
        code: "not-supported",
        text: "Conditional reference is not supported for $import in InitialLoad.",
      })),
    ]);
    const { meta } = await server.json("Patient/initial-135");
    expect(meta.versionId).toBe("1");
    expect(Date.parse(meta.lastUpdated)).toBeLessThanOrEqual(Date.now());
    expect(await server.search("Observation?_id=initial-135")).toEqual(["Observation/initial-135"]);
  });
});

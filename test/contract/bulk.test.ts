import type { PoolClient } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AdvisoryLock } from "../../src/postgres/advisory-locks.ts";
import { SegmentState } from "../../src/store/segments/segments.ts";
import { errorLog, openFullServer, type FullServer, type ImportOptions, type Json } from "../support/full-server.ts";
import { birthDate } from "../support/version-cases.ts";

/**
 * Large imports go to bulk segments, which are indexed afterwards; small ones to a live segment. Whichever segments the
 * versions of a resource are in, and whether they are indexed or not, a search finds current versions only. Sealing is
 * held back here by its own lock, so that "not indexed yet" lasts as long as the test wants.
 */

const UNIT_BYTES = 10_000_000;
/** Resources that change, of each type. */
const TRACKED = 600;
const TYPES = ["Patient", "Observation"] as const;
type TrackedType = (typeof TYPES)[number];
const MARKER = "http://azurehealthcareapis.com/data-extensions/deleted-state";

let server: FullServer;
let seal: PoolClient;
beforeAll(async () => {
  server = await openFullServer();
  seal = await server.database.pool.connect();
});
afterAll(async () => {
  seal?.release(true);
  await server?.close();
});

/** The current content of every tracked resource; undefined when deleted. */
const model: Map<string, string | undefined> = new Map();

const tracked = (n: number): string => `t${String(n).padStart(4, "0")}`;

/** A tracked resource: content is in a token, a date, a string (Patient) and a quantity (Observation). */
function trackedLine(type: TrackedType, n: number, content: string, meta?: object): string {
  const own =
    type === "Patient"
      ? {
          identifier: [{ value: `code-${content}` }],
          birthDate: birthDate(content),
          name: [{ family: `Fam${content}` }],
        }
      : {
          identifier: [{ value: `code-${content}` }],
          effectiveDateTime: birthDate(content),
          valueQuantity: { value: content.charCodeAt(0), unit: "g" },
        };
  return `${JSON.stringify({ resourceType: type, id: tracked(n), ...(meta === undefined ? {} : { meta }), ...own })}\n`;
}

/** Lines of all types for the resources of which `content` knows one; the model follows. */
function change(content: (n: number) => string | undefined): string {
  let text = "";
  for (const type of TYPES) {
    for (let n = 0; n < TRACKED; n++) {
      const wanted = content(n);
      if (wanted === undefined) continue;
      if (wanted === "deleted") {
        const meta = { extension: [{ url: MARKER, valueString: "soft-deleted" }] };
        text += trackedLine(type, n, "a", meta);
        model.set(`${type}/${tracked(n)}`, undefined);
      } else {
        text += trackedLine(type, n, wanted);
        model.set(`${type}/${tracked(n)}`, wanted);
      }
    }
  }
  return text;
}

/** Searches of every kind of value for every content find what the model has, neither more nor less. */
async function checkSearches(): Promise<void> {
  for (const content of "abcdef") {
    for (const type of TYPES) {
      const expected = [...model]
        .filter(([key, current]) => current === content && key.startsWith(`${type}/`))
        .map(([key]) => key)
        .toSorted();
      const queries =
        type === "Patient"
          ? [`identifier=code-${content}`, `birthdate=${birthDate(content)}`, `family=fam${content}`]
          : [
              `identifier=code-${content}`,
              `date=${birthDate(content)}`,
              `value-quantity=${String(content.charCodeAt(0))}`,
            ];
      for (const query of queries) {
        expect(await server.search(`${type}?${query}`), `${type}?${query}`).toEqual(expected);
        expect((await server.json(`${type}?${query}&_summary=count`)).total).toBe(expected.length);
      }
    }
  }
  for (const type of TYPES) {
    const live = [...model].filter(([key, current]) => current !== undefined && key.startsWith(`${type}/`));
    expect(await server.search(type)).toEqual(live.map(([key]) => key).toSorted());
  }
}

/** What a search finds holds what was searched for, whatever is being written meanwhile. */
async function checkFound(): Promise<void> {
  for (const type of TYPES) {
    for (const content of "abcdef") {
      const { entry = [] } = await server.json(`${type}?identifier=code-${content}&_count=1000`);
      const codes = new Set(entry.map(({ resource }: Json) => resource.identifier[0].value));
      expect([...codes]).toEqual(entry.length === 0 ? [] : [`code-${content}`]);
      const ids = entry.map(({ resource }: Json) => resource.id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  }
}

/** Waits until all lines of an import are written, though it may not be published yet; looks at searches meanwhile. */
async function written(location: string, lines: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    await checkFound();
    const { stoker } = await (async (): Promise<Json> => {
      const response = await fetch(location);
      const text = await response.text();
      return text === "" ? { stoker: { loaded: 0, rejected: 0 } } : JSON.parse(text);
    })();
    if (stoker.loaded + stoker.rejected === lines) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the lines were not written");
}

async function begin(inputs: readonly string[], options: Partial<ImportOptions> = {}): Promise<string> {
  const response = await server.register({ inputs, ...options });
  expect(response.status).toBe(202);
  return response.headers.get("content-location") ?? "";
}

async function segments(): Promise<{ live: boolean; state: number }[]> {
  const { rows } = await server.database.pool.query<{ live: boolean; state: number }>(
    "select live, state from segment order by number",
  );
  return rows;
}

async function staleRows(): Promise<number> {
  const { rows } = await server.database.pool.query<{ count: number }>("select count(*)::int as count from stale_row");
  return rows[0]?.count ?? -1;
}

const countLines = (text: string): number => text.split("\n").length - 1;

test("L-002, D-06: bulk loading, updates and deletions before, during and after publishing", async () => {
  await seal.query("select pg_advisory_lock($1, number) from generate_series(1, 20) as number", [
    AdvisoryLock.segmentSeal,
  ]);

  // 34 MB in four units: the tracked resources spread over all of it, and a bad line in each of the first three units
  const small = change(() => "a").split(/(?<=\n)/);
  const photo = Buffer.alloc(9000, "stoker").toString("base64");
  const pieces: string[] = [];
  const bad: { line: number; offset: number }[] = [];
  let filler = 0;
  const size = { bytes: 0 };
  const add = (text: string): void => {
    pieces.push(text);
    size.bytes += Buffer.byteLength(text);
  };
  while (size.bytes < 34_000_000) {
    const next = small.splice(0, 1)[0];
    if (next !== undefined) add(next);
    add(`${JSON.stringify({ resourceType: "Binary", id: `f${String(filler++)}`, contentType: "é", data: photo })}\r\n`);
    if (bad.length < 3 && size.bytes > bad.length * UNIT_BYTES + UNIT_BYTES / 2) {
      add("\n");
      bad.push({ line: pieces.length + 1, offset: size.bytes });
      add("oops\n");
    }
  }
  for (const line of small) add(line);
  const lines = pieces.length - 3;
  const first = await begin([await server.file("bulk.ndjson", pieces.join(""))]);
  await written(first, lines);
  expect(await segments()).toEqual([{ live: false, state: SegmentState.loading }]);
  const running = await fetch(first);
  expect(running.status).toBe(202);
  // 3.2, D-21: a partial result, and how far it is
  expect(running.headers.get("content-type")).toMatch(/^application\/json/);
  expect(running.headers.get("x-progress")).toMatch(/^100\.0%/);
  expect(Number(running.headers.get("retry-after"))).toBeGreaterThan(0);
  const partial: Json = await running.json();
  expect(partial.output.map((entry: Json) => entry.count)).toEqual([lines - 3]);
  expect(partial.error.map((entry: Json) => entry.count)).toEqual([3]);
  expect(await errorLog({ status: 202, body: partial, location: first })).toHaveLength(3);
  await checkSearches();

  // A small import: from the bulk segment to a live one, deletions, and versions that are history at once
  const second = change((n) => (n % 10 === 0 ? "b" : n % 10 === 1 ? "deleted" : undefined));
  const late = TYPES.map((type) => trackedLine(type, 2, "d", { lastUpdated: "2001-01-01T00:00:00Z" })).join("");
  const changed = await begin([await server.file("small.ndjson", second + late)], { negatives: true });
  await written(changed, countLines(second + late));
  expect(await segments()).toEqual([
    { live: false, state: SegmentState.loading },
    { live: true, state: SegmentState.indexed },
  ]);
  expect(await staleRows()).toBeGreaterThan(0);
  await checkSearches();

  // A large one, by blank lines: within the bulk segment, back from the live one, and deleted resources live again
  const blank = await server.file("blank.ndjson", `${" ".repeat(33_000_000)}\n\n`);
  const third = change((n) => ([0, 1, 3].includes(n % 10) ? "c" : undefined));
  const parts = third.split(/(?<=\n)/);
  const inputs = [blank];
  // Many small units, so that it is seen in the middle, too
  while (parts.length > 0) {
    inputs.push(await server.file(`large-${String(inputs.length)}.ndjson`, parts.splice(0, 20).join("")));
  }
  const large = await begin(inputs);
  await written(large, countLines(third));
  expect(await segments()).toHaveLength(2);
  await checkSearches();

  // And once more what has just been written
  const fourth = change((n) => (n % 10 === 3 ? "deleted" : n % 20 === 0 ? "e" : undefined));
  const last = await begin([await server.file("last.ndjson", fourth)]);
  await written(last, countLines(fourth));
  await checkSearches();

  await seal.query("select pg_advisory_unlock_all()");
  const outcome = await server.outcome(first);
  for (const location of [changed, large, last]) {
    expect((await server.outcome(location)).body.error).toEqual([]);
  }
  expect((await segments()).map(({ state }) => state)).toEqual([SegmentState.indexed, SegmentState.indexed]);
  expect(await staleRows()).toBe(0);
  await checkSearches();

  const fifth = change((n) => (n % 10 === 4 ? "deleted" : n % 10 === 5 || n % 10 === 1 ? "f" : undefined));
  await server.load({ inputs: [await server.file("after.ndjson", fifth)] });
  await checkSearches();

  const errors = await errorLog(outcome);
  expect(errors.map(({ line, offset }) => ({ line, offset }))).toEqual(bad);
  expect(outcome.body.output.map((entry: Json) => entry.count)).toEqual([lines - 3]);
  const detailed = await server.json(`${first}?_details=true`);
  expect(detailed.output).toHaveLength(4);
  expect((await server.json("Binary?_summary=count")).total).toBe(filler);
  const history = await server.json(`Patient/${tracked(0)}/_history`);
  expect(history.entry.map(({ resource }: Json) => resource.birthDate)).toEqual(["e", "c", "b", "a"].map(birthDate));
});

test("bulk segments are sealed by imports that end while another one is loading", async () => {
  const photo = Buffer.alloc(900, "stoker").toString("base64");
  let text = "";
  for (let n = 0; n < 60_000; n++) text += `{"resourceType":"Binary","id":"g${String(n)}","data":"${photo}"}\n`;
  // One unit, so that the other worker is free
  const long = await begin([await server.file("long.ndjson", text)], { unitBytes: 1_000_000_000 });
  const before = (await segments()).length;
  const blank = await server.file("blank.ndjson", `${" ".repeat(33_000_000)}\n\n`);
  for (let round = 0; round < 4; round++) {
    const content = "abcdef"[round] ?? "";
    const next = change((n) => (n % 4 === round ? content : n % 7 === round ? "deleted" : undefined));
    const url = await server.file(`round-${String(round)}.ndjson`, next);
    const { body } = await server.load({ inputs: [url, blank] });
    expect(body).toMatchObject({ output: [{ count: countLines(next) }, { count: 0 }], error: [] });
    if (round === 0) {
      const running = await fetch(long);
      expect(running.status, "the long import must still be running").toBe(202);
      await running.text();
    }
    await checkSearches();
  }
  const { body } = await server.outcome(long);
  expect((await segments()).length).toBeGreaterThan(before + 1);
  expect(body).toMatchObject({ output: [{ count: 60_000 }], error: [], stoker: { created: 60_000 } });
  expect((await server.json("Binary?_id=g0,g59999&_summary=count")).total).toBe(2);
  expect(new Set((await segments()).map(({ state }) => state))).toEqual(new Set([SegmentState.indexed]));
  expect(await staleRows()).toBe(0);
  await checkSearches();
});

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { indexSegment, openSegment } from "../../store/segments/segments.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";
import { forgetLines } from "../../import/report/forget-lines.ts";
import { foundBy, historyOf, openBatchImport, patient, type BatchImport } from "../../import/testing/batch-import.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

type Options = Parameters<typeof openBatchImport>[1];

/** Imports the batches one after the other; `rejected` as `line:code`. */
async function importOf(id: string, batches: readonly (readonly string[])[], options: Options = {}): Promise<Outcome> {
  const load = await openBatchImport(database, options);
  try {
    for (const lines of batches) await load.commit(lines.map((line) => patient(id, line)));
    return await outcomeOf(load, id);
  } finally {
    load.close();
  }
}

interface Outcome {
  counts: Awaited<ReturnType<BatchImport["counts"]>>;
  history: string[];
  rejected: string[];
}

async function outcomeOf(load: BatchImport, id: string): Promise<Outcome> {
  const counts = await load.counts();
  const rejected = await load.rejected();
  expect(rejected).toHaveLength(counts.rejected);
  expect(counts.loaded).toBe(counts.created + counts.updated + counts.unchanged);
  for (const { code, message } of rejected) {
    const kind = code === "duplicate" ? "duplicate resource" : "resource with version conflict";
    expect(message).toBe(`Failed to import ${kind}, resource id: ${id}, line: {line}`);
  }
  const history = await historyOf(database, id);
  await checkSearchRows(id, history);
  return { counts, history, rejected: rejected.map(({ text, code }) => `${code} ${text}`).toSorted() };
}

/** Search finds exactly the current version, by its content and its date. */
async function checkSearchRows(id: string, history: readonly string[]): Promise<void> {
  const current = history.find((version) => version.endsWith("*"));
  const { rows } = await database.pool.query<{ date: string }>(
    "select last_updated::text as date from resource_current where key = $1",
    [resourceKeyOf("Patient", id)],
  );
  const found = await foundBy(database, id);
  if (current === undefined || current.includes("!")) {
    expect(found).toEqual({ families: [], lastUpdated: [] });
  } else {
    const family = current.replace(/^.*=|\*$/g, "");
    expect(found).toEqual({ families: [family], lastUpdated: rows.map(({ date }) => Number(date)) });
  }
}

describe("writing", () => {
  it("creates, updates, keeps what is the same, and moves the search rows", async () => {
    const first = await importOf("w1", [["bare=a"]]);
    expect(first.history).toEqual(["v1@now=a*"]);
    expect(first.counts).toMatchObject({ loaded: 1, created: 1, rejected: 0 });
    const second = await importOf("w1", [["bare=b"]]);
    expect(second.history).toEqual(["v2@now=b*", "v1@now=a"]);
    expect(second.counts).toMatchObject({ loaded: 1, updated: 1 });
    const third = await importOf("w1", [["bare=b"]]);
    expect(third.history).toEqual(second.history);
    expect(third.counts).toMatchObject({ loaded: 1, unchanged: 1 });
    const fourth = await importOf("w1", [["bare!=b"]]);
    expect(fourth.history).toEqual(["v3@now!=b*", ...second.history.map((version) => version.replace("*", ""))]);
    expect(fourth.counts).toMatchObject({ loaded: 1, updated: 1, deleted: 1 });
  });

  it("lists search rows as stale while their bulk segment loads, and removes them when it is indexed", async () => {
    const { history } = await importOf("w2", [["bare=a"]], { live: false });
    expect(history).toEqual(["v1@now=a*"]);
    const key = resourceKeyOf("Patient", "w2");
    await importOf("w2", [["@2001=x"], ["bare=b"]], { live: false });
    const stale = await database.pool.query("select segment from stale_row where key = $1", [key]);
    expect(stale.rowCount).toBe(1);
    const client = await database.pool.connect();
    try {
      await indexSegment(client, await openSegment(client, false));
    } finally {
      client.release();
    }
    const after = await database.pool.query("select from stale_row where key = $1", [key]);
    expect(after.rowCount).toBe(0);
    const rows = await database.pool.query("select from search_resource where key = $1", [key]);
    expect(rows.rowCount).toBe(1);
    expect(await foundBy(database, "w2")).toMatchObject({ families: ["b"] });
  });

  it("re-dates the search row of a bare line that a later date in the near future moves up, in a segment that is loading", async () => {
    const soon = Date.now() + 1500;
    const { history } = await importOf("w3", [["bare=a"], [`@${soon}=b`]], { live: false });
    expect(history).toEqual(["v2@now=a*", `v1@${new Date(soon).getUTCFullYear()}=b`]);
  });

  it("stores a resource whose key is another id's under a key of its own", async () => {
    await importOf("taken", [["bare=a"]]);
    // As if the two ids had one hash: the stored one is renamed.
    const key = resourceKeyOf("Patient", "taken");
    await database.pool.query("update resource_current set id = 'somebody-else' where key = $1", [key]);
    const load = await openBatchImport(database);
    try {
      await load.commit([patient("taken", "bare=b"), patient("not-taken", "bare=b")]);
      expect(await load.rejected()).toEqual([]);
      expect(await load.counts()).toMatchObject({ loaded: 2, created: 2, rejected: 0 });
    } finally {
      load.close();
    }
    const { rows } = await database.pool.query<{ id: string; key: bigint }>(
      "select id, key from resource_current where id in ('taken', 'somebody-else') order by id",
    );
    expect(rows).toEqual([
      { id: "somebody-else", key },
      { id: "taken", key: resourceKeyOf("Patient", "taken") },
    ]);
    expect(rows[1]?.key).not.toBe(key);
  });

  it("two connections that create the same resources at the same time: one creates, the other updates", async () => {
    const ids = Array.from({ length: 200 }, (_, n) => `race-${n}`);
    const loads = await Promise.all([openBatchImport(database), openBatchImport(database)]);
    try {
      await Promise.all(loads.map((load, n) => load.commit(ids.map((id) => patient(id, `bare=c${n}`)))));
      const counts = await Promise.all(loads.map((load) => load.counts()));
      expect(counts.map(({ created, updated }) => created + updated)).toEqual([200, 200]);
      expect(counts.reduce((sum, { created }) => sum + created, 0)).toBe(200);
      for (const id of ids) expect(await historyOf(database, id)).toHaveLength(2);
    } finally {
      for (const load of loads) load.close();
    }
  });
});

describe("lines of one resource in several batches, decided as if they were in one", () => {
  it.each<[row: string, batches: string[][], history: string[], rejected: string[], options?: Options]>([
    ["C-063", [["v3@2003=c"], ["v1@2001=a"], ["v2@2002=b"]], ["v3@2003=c*", "v2@2002=b", "v1@2001=a"], []],
    ["C-068", [["v3@2001=a"], ["v2@2004=b"]], ["v2@2004=b*"], ["conflict v3@2001=a"], { negatives: true }],
    ["C-068 the other way", [["v2@2004=b"], ["v3@2001=a"]], ["v2@2004=b*"], ["conflict v3@2001=a"]],
    ["C-081", [["@2003=c"], ["@2001=a"], ["@2002=b"]], ["v3@2003=c*", "v2@2002=b", "v1@2001=a"], []],
    ["C-084", [["v1@2001=a", "@2002=b"], ["v3@2003=c"]], ["v3@2003=c*", "v2@2002=b", "v1@2001=a"], []],
    [
      "C-085",
      [["v1@2001=a", "@2002=b"], ["v2@2003=c"]],
      ["v2@2003=c*", "v1@2001=a", "v-1@2002=b"],
      [],
      { negatives: true },
    ],
    ["C-086", [["v1@2001=a", "@2002=b"], ["v2@2003=c"]], ["v2@2003=c*", "v1@2001=a"], ["conflict @2002=b"]],
    [
      "C-087",
      [["@2002=b"], ["v2@2004=d"], ["v1@2001=a"], ["@2003=c"]],
      ["v2@2004=d*", "v1@2001=a", "v-1@2003=c", "v-2@2002=b"],
      [],
      { negatives: true },
    ],
    ["C-096", [["bare=a"], ["@2025=a"]], ["v1@2025=a*"], []],
    ["C-096 and then another", [["bare=a"], ["@2024=a"], ["@2025=b"]], ["v3@now=a*", "v2@2025=b", "v1@2024=a"], []],
    ["C-095", [["bare=a"], ["@2024=b"]], ["v2@now=a*", "v1@2024=b"], []],
    ["D-02", [["bare=a"], ["bare=b"], ["bare=a"]], ["v1@now=a*"], ["duplicate bare=a", "duplicate bare=b"]],
    ["D-03", [["@2001=a"], ["@2001=a", "@2001=b"]], ["v1@2001=a*"], ["duplicate @2001=a", "duplicate @2001=b"]],
    ["D-04", [["v2@2002=a"], ["v2@2005=b"]], ["v2@2005=b*"], ["duplicate v2@2002=a"]],
    [
      "a dated line is let back in",
      [["v3@2001=a", "v4@2010=d", "@2005=c"], ["v2@2003=b"]],
      ["v4@2010=d*", "v3@2005=c", "v2@2003=b"],
      ["conflict v3@2001=a"],
    ],
    [
      "a conflict becomes a duplicate",
      [["v2@2010=c"], ["v3@2001=a"], ["v3@2005=b"]],
      ["v2@2010=c*"],
      ["conflict v3@2005=b", "duplicate v3@2001=a"],
    ],
    ["deleted last", [["bare!=a"], ["@2001=b"]], ["v2@now!=a*", "v1@2001=b"], []],
    ["deleted twice", [["bare!=a"], ["@2001!=b"]], ["v1@2001!=b*"], []],
    ["deleted, then not", [["bare!=a"], ["@2001!=b"], ["@2002=c"]], ["v3@now!=a*", "v2@2002=c", "v1@2001!=b"], []],
  ])("%s", async (row, batches, history, rejected, options) => {
    const id = row.replaceAll(/[^A-Za-z0-9]/g, "-");
    const split = await importOf(id, batches, options);
    expect(split.history).toEqual(history);
    const expected = rejected.map((text) => {
      const [code = "", line = ""] = text.split(" ");
      return `${code} ${patient(id, line)}`;
    });
    expect(split.rejected).toEqual(expected);
    const atOnce = await importOf(`${id}-1`, [batches.flat()], options);
    expect(atOnce.history).toEqual(history);
    expect(atOnce.counts).toEqual(split.counts);
  });

  it("D-03 against an earlier import: unchanged once, then duplicates", async () => {
    await importOf("again", [["v2@2021=a"]]);
    const { counts, history } = await importOf("again", [["v2@2021=a"], ["v2@2021=a"], ["v2@2021=a"]]);
    expect(counts).toMatchObject({ loaded: 1, unchanged: 1, rejected: 2 });
    expect(history).toEqual(["v2@2021=a*"]);
  });

  it("versions that others built upon keep their numbers", async () => {
    const load = await openBatchImport(database);
    try {
      await load.commit([patient("built", "@2003=b")]);
      await importOf("built", [["bare=x"]]);
      await load.commit([patient("built", "@2001=a"), patient("built", "bare=y")]);
      expect(await historyOf(database, "built")).toEqual(["v3@now=y*", "v2@now=x", "v1@2003=b"]);
      expect((await load.rejected()).map(({ code }) => code)).toEqual(["conflict"]);
    } finally {
      load.close();
    }
  });

  it("is forgotten when the import ends", async () => {
    const load = await openBatchImport(database);
    load.close();
    await importOf("forget", [["@2001=a"], ["@2001=a"], ["bare=a"]], { job: load.job });
    const lines = async (): Promise<number | null> =>
      (
        await database.pool.query(
          "select job from import_pending_line where job = $1 union all select job from import_line_position where job = $1",
          [load.job],
        )
      ).rowCount;
    expect(await lines()).toBe(2);
    await forgetLines(database.pool, String(load.job));
    expect(await lines()).toBe(0);
  });
});

describe("any order and split", () => {
  const anyDate = fc.constantFrom("2001", "2002", "2003", "2004", "2005");
  const anyText = fc
    .tuple(
      fc.option(fc.integer({ min: -2, max: 6 }), { nil: undefined, freq: 2 }),
      fc.option(anyDate, { nil: undefined, freq: 5 }),
      fc.constantFrom("", "", "", "!"),
      fc.constantFrom("a", "b"),
    )
    .map(([versionId, date, deleted, content]) => ({
      date,
      text:
        date === undefined
          ? `bare${deleted}=${content}`
          : `${versionId === undefined ? "" : `v${versionId}`}@${date}${deleted}=${content}`,
    }));
  /** Lines with one date are alike. */
  const anyLines = fc
    .tuple(
      fc.uniqueArray(anyText, { selector: ({ date }) => date, minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(5), { maxLength: 2 }),
    )
    .map(([lines, repeats]) => [...lines, ...repeats.flatMap((n) => lines[n] ?? [])].map(({ text }) => text));
  const anyPlan = fc.array(fc.tuple(fc.nat(), fc.boolean()), { minLength: 8, maxLength: 8 });
  let runs = 0;

  it("the same counts, rejected lines, history and search rows as in one batch, and so do two workers at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyLines,
        fc.array(anyText, { maxLength: 3 }),
        anyPlan,
        fc.boolean(),
        async (lines, before, plan, negatives) => {
          const id = `any-${runs++}`;
          const ids = [`${id}-a`, `${id}-b`, `${id}-c`] as const;
          for (const one of ids) for (const { text } of before) await importOf(one, [[text]], { negatives: true });
          const order = lines.map((text, n) => ({ text, rank: plan[n]?.[0] ?? 0, ends: plan[n]?.[1] ?? false }));
          order.sort((a, b) => a.rank - b.rank);
          const batches: string[][] = [[]];
          for (const { text, ends } of order) {
            batches.at(-1)?.push(text);
            if (ends) batches.push([]);
          }
          const atOnce = await importOf(ids[0], [lines], { negatives });
          const split = await importOf(ids[1], batches, { negatives });
          const first = await openBatchImport(database, { negatives });
          const second = await openBatchImport(database, { negatives, job: first.job });
          let together: Outcome;
          try {
            const half = batches.length / 2;
            const work = async (load: BatchImport, own: string[][]): Promise<void> => {
              for (const part of own) await load.commit(part.map((line) => patient(ids[2], line)));
            };
            await Promise.all([work(first, batches.slice(0, half)), work(second, batches.slice(half))]);
            together = await outcomeOf({ ...first, rejected: () => rejectedOf(first.job) }, ids[2]);
          } finally {
            first.close();
            second.close();
          }
          const anonymous = ({ counts, history, rejected }: Outcome): Outcome => ({
            counts,
            history,
            rejected: rejected.map((text) => text.replaceAll(/any-\d+-[abc]/g, "id")),
          });
          expect(anonymous(split)).toEqual(anonymous(atOnce));
          const codes = ({ counts, history, rejected }: Outcome): Outcome => ({
            counts,
            history,
            rejected: rejected.map((text) => text.replace(/ .*/, "")),
          });
          expect(codes(together)).toEqual(codes(atOnce));
        },
      ),
      { numRuns: 25 },
    );
  });
});

/** Rejected lines of a job with two workers, without their texts. */
async function rejectedOf(job: bigint): Promise<{ text: string; code: string; message: string }[]> {
  const { rows } = await database.pool.query<{ code: string; message: string }>(
    "select code, message from import_rejected_line line join import_unit unit on unit.id = line.unit where job = $1",
    [job],
  );
  return rows.map((row) => ({ ...row, text: "" }));
}

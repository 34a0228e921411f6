import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "../../http/testing/write-server.ts";
import { openBatchImport, patient } from "../../import/testing/batch-import.ts";
import { publishSearchRows } from "../../store/segments/publish.ts";
import { expectedHistory, historyEntries, storedVersions, type ModelQuery } from "../testing/history-model.ts";
import { linkOf } from "../testing/search-server.ts";

/** What happens to the store. Resources are few, so that they get long histories. */
type Step =
  | { do: "put" | "delete"; type: "Patient" | "Basic"; id: number }
  | { do: "create" }
  | { do: "import"; lines: [id: number, text: string][]; isLive: boolean }
  | { do: "publish" };

const id = fc.nat(3);
const date = fc.constantFrom("2000", "2001", "2002", "2003", String(Date.UTC(2001) + 1), String(Date.UTC(2002, 1, 29)));
const line = fc
  .tuple(fc.option(fc.integer({ min: -3, max: 6 }), { nil: undefined }), date, fc.boolean())
  .map(([version, date, isDeleted]) => `${version ? `v${version}` : ""}@${date}${isDeleted ? "!" : ""}`);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("put", "delete"),
      type: fc.constantFrom("Patient", "Patient", "Basic"),
      id,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("import"),
      lines: fc.array(fc.tuple(id, fc.oneof(line, fc.constant("bare"))), { minLength: 1, maxLength: 6 }),
      isLive: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ do: "create" } as const, { do: "publish" } as const) },
);

/** `prefix`: of the ids. */
async function take(server: WriteServer, step: Step, prefix: string): Promise<void> {
  switch (step.do) {
    case "put": {
      const id = `${prefix}${step.id}`;
      await server.send("PUT", `/${step.type}/${id}`, { resourceType: step.type, id });
      break;
    }
    case "delete":
      await server.send("DELETE", `/${step.type}/${prefix}${step.id}`);
      break;
    case "create":
      await server.send("POST", "/Basic", { resourceType: "Basic" });
      break;
    case "import": {
      const load = await openBatchImport(server.database, { negatives: true, live: step.isLive });
      await load.commit(step.lines.map(([id, text]) => patient(`${prefix}${id}`, text))).finally(() => load.close());
      break;
    }
    default:
      await publishSearchRows(server.database.pool);
  }
}

/** Parameters and what they mean. */
const periods: readonly (readonly [text: string, low: number, high: number])[] = [
  ["2001", Date.UTC(2001), Date.UTC(2002) - 1],
  ["2002-02", Date.UTC(2002, 1), Date.UTC(2002, 2) - 1],
  ["1999-12-31", Date.UTC(1999, 11, 31), Date.UTC(2000) - 1],
  ["2001-01-01T00:00:00Z", Date.UTC(2001), Date.UTC(2001) + 999],
  ["2001-01-01T00:00:00.000Z", Date.UTC(2001), Date.UTC(2001)],
  ["2001-01-01T00:00:00.0019Z", Date.UTC(2001) + 1, Date.UTC(2001) + 1],
  ["2001-01-01T10:00+10:00", Date.UTC(2001), Date.UTC(2001) + 59_999],
  ["2000-12-31T19:00:00-05:00", Date.UTC(2001), Date.UTC(2001) + 999],
  ["1950-06-01T00:00:00.5Z", Date.UTC(1950, 5, 1) + 500, Date.UTC(1950, 5, 1) + 500],
  ["2100", Date.UTC(2100), Date.UTC(2101) - 1],
];
const instants: readonly (readonly [text: string, since: number])[] = [
  ["2001", Date.UTC(2001)],
  ["2001-01-01T00:00:00.001Z", Date.UTC(2001) + 1],
  ["2001-01-01T00:00:00.0001Z", Date.UTC(2001) + 1],
  ["2002-02-01T01:00:00+01:00", Date.UTC(2002, 1)],
  ["2010", Date.UTC(2010)],
];
const scopes: readonly (readonly [path: string, query: ModelQuery])[] = [
  ["/_history?", {}],
  ["/_history?_type=Patient&", { types: ["Patient"] }],
  ["/_history?_type=Basic,Observation&", { types: ["Basic", "Observation"] }],
  ["/Patient/_history?", { types: ["Patient"] }],
  ["/Basic/_history?", { types: ["Basic"] }],
  ["/Observation/_history?", { types: ["Observation"] }],
];
interface Question {
  path: string;
  query: ModelQuery;
  count: number;
}
const question = (prefix: string): fc.Arbitrary<Question> =>
  fc
    .tuple(
      fc.oneof(
        fc.constantFrom(...scopes),
        id.map((id) => [`/Patient/${prefix}${id}/_history?`, { types: ["Patient"], id: `${prefix}${id}` }] as const),
      ),
      fc.option(fc.constantFrom(...periods)),
      fc.option(fc.constantFrom(...instants)),
      fc.constantFrom(1, 2, 3, 7, 100),
    )
    .map(([[path, query], at, since, count]) => ({
      path: `${path}_count=${count}${parameter("_at", at)}${parameter("_since", since)}`,
      query: { ...query, ...(at && { at: [at[1], at[2]] as const }), ...(since && { since: since[1] }) },
      count,
    }));

function parameter(name: string, of: readonly [text: string, ...rest: number[]] | null): string {
  return of === null ? "" : `&${name}=${encodeURIComponent(of[0])}`;
}

/** All entries over the pages; `between` runs after each page. */
async function pages(server: WriteServer, { path, count }: Question, between?: () => Promise<void>): Promise<string[]> {
  const seen: string[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const { status, body } = await server.send("GET", next);
    if (status === 404) return [];
    expect(status).toBe(200);
    const entries = historyEntries(body);
    seen.push(...entries);
    next = linkOf(body, "next");
    if (next !== undefined) expect(entries).toHaveLength(count);
    await between?.();
  }
  return seen;
}

describe("histories, by random steps", () => {
  let server: WriteServer;
  beforeAll(async () => {
    server = await openWriteServer();
  });
  afterAll(() => server.close());

  it("have the versions of the definitions in their order, by pages of any size, with the right total", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 10 }),
        fc.array(question("~"), { minLength: 1, maxLength: 6 }),
        async (steps, questions) => {
          // New resources every few rounds: what has a version of today takes none of the past as its current one.
          const prefix = `r${Math.floor(round++ / 3)}-`;
          for (const each of steps) await take(server, each, prefix);
          const versions = await storedVersions(server.database);
          for (const { path, query, count } of questions) {
            const asked = { path: path.replace("~", prefix), query: { ...query }, count };
            if (query.id !== undefined) asked.query.id = query.id.replace("~", prefix);
            const expected = expectedHistory(versions, asked.query);
            expect(await pages(server, asked), asked.path).toEqual(expected);
            const { status, body } = await server.send("GET", `${asked.path}&_total=accurate`);
            if (status === 200) expect(body.total).toBe(expected.length);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("repeat nothing and skip nothing while others write", async () => {
    // An import that writes into the past of a resource may give its versions other numbers: here it has its own resources.
    const wide = question("").filter(({ query }) => query.id === undefined && query.at === undefined);
    let round = 0;
    await fc.assert(
      fc.asyncProperty(wide, fc.array(step, { maxLength: 12 }), async (asked, between) => {
        round++;
        const before = expectedHistory(await storedVersions(server.database), asked.query);
        const pending = [...between];
        const seen = await pages(server, asked, async () => {
          const next = pending.shift();
          if (next !== undefined) await take(server, next, next.do === "import" ? `new-${round}-` : "r0-");
        });
        expect(new Set(seen).size).toBe(seen.length);
        const old = new Set(before);
        expect(seen.filter((name) => old.has(name))).toEqual(before);
      }),
      { numRuns: 15 },
    );
  });

  it("keep the table of deletions as it should be", async () => {
    const { rows } = await server.database.pool.query(
      `select key from (select key, last_updated from resource_current where deleted) h full join deletion d using (key, last_updated)
       where h is null or d is null`,
    );
    expect(rows).toEqual([]);
  });
});

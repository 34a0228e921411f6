import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { searchParameter } from "../../fhir/search-parameters.ts";
import { type Condition } from "../condition/condition.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { searchCondition } from "../compile/plan.ts";
import { parseQuery } from "../parse/query.ts";
import { resolveCondition } from "./resolve.ts";
import { sql, statement } from "../../postgres/sql.ts";
import { BASE, openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  const texts = ["Warm", "warmish", "Wärme", `${"x".repeat(70)}y`, `${"x".repeat(70)}z`, "100%", "a,b"];
  await server.loadLive(
    ...texts.map((text, index) => ({ resourceType: "Observation", id: `o${index}`, method: { text } })),
  );
});
afterAll(() => server.close());

function conditionOf(text: string): Condition {
  const parameters = [["method:text", text]] as const;
  const { groups } = parseQuery({ type: "Observation", parameters, strict: true, baseUrl: BASE });
  return searchCondition(groups, { dateEquality: "contain", now: 0 });
}

/** Without the range of the type's keys: among seven resources any index will do for that. */
function textConditionOf(text: string): Condition {
  const condition = conditionOf(text);
  if (condition.kind !== "and" || condition.conditions[1] === undefined) throw new TypeError("not a type and a text");
  return condition.conditions[1];
}

async function idsOf(condition: Condition): Promise<string> {
  const { rows } = await server.database.pool.query<{ id: string }>(
    statement(
      sql`select h.id from search_resource r join resource_current h on h.key = r.key where ${conditionSql(condition)}`,
    ),
  );
  return rows
    .map(({ id }) => id)
    .toSorted()
    .join();
}

describe(":text (contract 10.6)", () => {
  it.each([
    ["warm", "o0,o1,o2"],
    ["WÄRM", "o0,o1,o2"],
    ["warmi", "o1"],
    ["cold", ""],
    ["arm", ""],
    ["\u0301", ""],
    ["x".repeat(70), "o3,o4"],
    [`${"x".repeat(70)}z`, "o4"],
    ["100%", "o5"],
    ["a\\,b", "o6"],
    ["warmi,100", "o1,o5"],
  ])("%s finds %s, whether its terms are looked up first or not", async (text, expected) => {
    const condition = conditionOf(text);
    expect(await idsOf(condition)).toBe(expected);
    expect(await idsOf(await resolveCondition(server.database.pool, condition))).toBe(expected);
  });

  it("finds what has one of more terms than are looked up first", async () => {
    await server.database.pool.query(
      "insert into search_dictionary select $1, number, 'warm ' || number from generate_series(1, 10050) as number",
      [searchParameter("Observation", "method")?.id],
    );
    const condition = await resolveCondition(server.database.pool, conditionOf("warm"));
    expect(JSON.stringify(condition, (_, value: unknown) => (typeof value === "bigint" ? 0 : value))).toContain("term");
    expect(await idsOf(condition)).toBe("o0,o1,o2");
    expect(await server.ids("/Observation?method:text=warm")).toEqual(["o0", "o1", "o2"]);
  });

  it("is answered by the index either way", async () => {
    const term = textConditionOf("warm");
    for (const each of [term, await resolveCondition(server.database.pool, textConditionOf("warmish"))]) {
      const client = await server.database.pool.connect();
      await client.query("begin; set local enable_seqscan = off; set local enable_indexscan = off");
      const { rows } = await client.query<{ "QUERY PLAN": string }>(
        statement(sql`explain select r.key from search_resource r where ${conditionSql(each)}`),
      );
      await client.query("rollback");
      client.release();
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      expect(plan).toMatch(/Bitmap Index Scan on search_resource_\d+_equality/);
    }
  });
});

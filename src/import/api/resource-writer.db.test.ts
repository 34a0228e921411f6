import { afterAll, beforeAll, expect, it } from "vitest";
import { StokerError } from "../../base/errors.ts";
import { openLogger } from "../../base/logger.ts";
import { createTestDatabase, type TestDatabase } from "../../store/testing/test-database.ts";
import { checkBody, withId } from "./checked-body.ts";
import { openResourceWriter, type ResourceWriter } from "./resource-writer.ts";
import { StalePlan, type PutChange, type WriteRequest } from "./write-request.ts";

let database: TestDatabase;
let writer: ResourceWriter;

beforeAll(async () => {
  database = await createTestDatabase();
  writer = openResourceWriter({ connection: database.connection, logger: openLogger("silent", "test") });
});
afterAll(async () => {
  await writer.close();
  await database.drop();
});

function putOf(id: string): PutChange {
  return { kind: "put", body: withId(checkBody(Buffer.from('{"resourceType":"Patient"}'), "Patient"), id) };
}

function request(...changes: PutChange[]): WriteRequest {
  return { bytes: 100, locks: [], plan: () => changes };
}

function failing(error: Error): WriteRequest {
  return {
    bytes: 0,
    locks: [],
    plan: () => {
      throw error;
    },
  };
}

function refuse(): void {
  throw new StokerError("precondition-failed", "no");
}

async function versionsOf(...ids: string[]): Promise<(number | undefined)[]> {
  const { rows } = await database.pool.query<{ id: string; version_id: number }>(
    "select id, version_id from head where id = any($1)",
    [ids],
  );
  return ids.map((id) => rows.find((row) => row.id === id)?.version_id);
}

it("answers each request of a group by itself, whatever becomes of the others", async () => {
  const outcomes = await Promise.allSettled([
    ...["a1", "a2", "a3", "a4"].map((id) => writer.write(request(putOf(id)))),
    writer.write(failing(new StokerError("precondition-failed", "no"))),
    writer.write(request(putOf("a5"))),
    writer.write(failing(new TypeError("a mistake"))),
    writer.write(request(putOf("a6"))),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  expect(await versionsOf("a1", "a2", "a3", "a4", "a5", "a6")).toEqual([1, 1, 1, 1, 1, 1]);
});

it("writes all changes of a request or none", async () => {
  await expect(
    writer.write(request(putOf("b1"), { ...putOf("b2"), check: refuse }, putOf("b3"))),
  ).rejects.toMatchObject({
    code: "precondition-failed",
  });
  expect(await versionsOf("b1", "b2", "b3")).toEqual([undefined, undefined, undefined]);
});

it("plans again when what the plan was made on has changed, but not for ever", async () => {
  let plans = 0;
  const stale = (until: number): WriteRequest => ({
    bytes: 0,
    locks: [],
    plan: () => {
      plans++;
      return [
        {
          ...putOf("c1"),
          check: () => {
            if (plans < until) throw new StalePlan();
          },
        },
      ];
    },
  });
  const [result] = await writer.write(stale(3));
  expect([plans, result?.outcome]).toEqual([3, "created"]);
  await expect(writer.write(stale(Infinity))).rejects.toMatchObject({ code: "busy", status: 503 });
});

it("two servers that create the same resource at the same time make two versions", async () => {
  const other = openResourceWriter({ connection: database.connection, logger: openLogger("silent", "test") });
  try {
    for (let round = 0; round < 10; round++) {
      const id = `d${round}`;
      const results = await Promise.all([writer, other].map((each) => each.write(request(putOf(id)))));
      expect(results.map(([result]) => result?.version?.versionId).toSorted((a = 0, b = 0) => a - b)).toEqual([1, 2]);
    }
  } finally {
    await other.close();
  }
});

it("survives the loss of its connections, and writes nothing twice", async () => {
  await writer.write(request(putOf("e1")));
  await database.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stoker writer' and datname = current_database()",
  );
  let answered = 0;
  for (let attempt = 0; attempt < 5; attempt++) {
    await writer.write(request(putOf("e1"))).then(
      () => answered++,
      () => undefined,
    );
  }
  expect(answered).toBeGreaterThan(0);
  expect(await versionsOf("e1")).toEqual([1 + answered]);
});

it("more than fits is refused, not kept in memory", async () => {
  const large: WriteRequest = { ...request(putOf("f1")), bytes: 200 << 20 };
  const outcomes = await Promise.allSettled([writer.write(large), writer.write({ ...large })]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
});

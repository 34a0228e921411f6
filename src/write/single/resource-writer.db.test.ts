import { afterAll, beforeAll, expect, it } from "vitest";
import { StokerError } from "../../base/errors.ts";
import { openLogger } from "../../base/logger.ts";
import { openControl, type DatabaseControl } from "../../postgres/control.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";
import { checkBody, withId } from "../check-body/checked-body.ts";
import { openResourceWriter, type ResourceWriter } from "./resource-writer.ts";
import { StalePlan, type PutChange, type WriteRequest } from "./write-request.ts";

let database: TestDatabase;
let writer: ResourceWriter;
let control: DatabaseControl;
const logger = openLogger("silent", "test");

beforeAll(async () => {
  database = await createTestDatabase();
  control = openControl(database.connection, logger);
  writer = openResourceWriter({ connection: database.connection, logger, control });
});
afterAll(async () => {
  await writer.close();
  await control.close();
  await database.drop();
});

const PATIENT = await checkBody(Buffer.from('{"resourceType":"Patient"}'), "Patient");

function putOf(id: string): PutChange {
  return { kind: "put", body: withId(PATIENT, id) };
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
    "select id, version_id from resource_current where id = any($1)",
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

it("refuses what waits when it is stopped, and ends although plans search for long", async () => {
  const other = openResourceWriter({ connection: database.connection, logger, control });
  const slow: WriteRequest = { ...request(putOf("g0")), plan: sleeping(60) };
  const outcomes = Promise.allSettled([
    other.write(slow, { client: "a" }),
    ...Array.from({ length: 2000 }, () => other.write({ ...request(putOf("g1")), resources: ["Patient/g1"] })),
  ]);
  await until(() => isAsleep());
  await other.close();
  const reasons = (await outcomes).flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  expect(reasons.length).toBeGreaterThan(1900);
  expect(new Set(reasons.slice(1).map(({ code }: StokerError) => code))).toEqual(new Set(["busy"]));
  await expect(other.write(request(putOf("g2")))).rejects.toMatchObject({ code: "busy", status: 503 });
});

it("gives up what a client has left: what waits is not written, and its search is ended", async () => {
  const gone = new AbortController();
  const from = { client: "a", signal: gone.signal };
  const outcomes = Promise.allSettled([
    writer.write({ ...request(putOf("h1")), plan: sleeping(60) }, from),
    ...["h2", "h2", "h2"].map((id) => writer.write({ ...request(putOf(id)), resources: ["Patient/h1"] }, from)),
  ]);
  await until(() => isAsleep());
  gone.abort();
  expect((await outcomes)[0]).toMatchObject({ status: "rejected" });
  await expect(writer.write(request(putOf("h3")), from)).rejects.toMatchObject({ code: "busy" });
  expect(await isAsleep()).toBe(false);
  expect(await versionsOf("h1", "h3")).toEqual([undefined, undefined]);
});

it("a plan that takes long does not keep those of other clients waiting", async () => {
  const gone = new AbortController();
  const from = { client: "a", signal: gone.signal };
  const long = Promise.allSettled(
    Array.from({ length: 5 }, () => writer.write({ ...request(putOf("i1")), plan: sleeping(60) }, from)),
  );
  await until(() => isAsleep());
  const others = ["i2", "i3", "i4"].map((id) =>
    writer.write({ ...request(putOf(id)), plan: sleeping(0, id) }, { client: "b" }),
  );
  expect((await Promise.all(others)).map(([result]) => result?.outcome)).toEqual(["created", "created", "created"]);
  gone.abort();
  expect((await long).map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "rejected"));
});

/** A plan whose search takes so many seconds, and longer than it may where that is less. */
function sleeping(seconds: number, id = "asleep"): WriteRequest["plan"] {
  return async (client, { timeout }) => {
    try {
      await client.query(`begin; set local statement_timeout = ${timeout}; select pg_sleep(${seconds}) as nap; commit`);
    } catch (error) {
      await client.query("rollback");
      throw new StokerError("too-costly", "too long", { cause: error });
    }
    return [putOf(id)];
  };
}

async function isAsleep(): Promise<boolean> {
  const { rowCount } = await database.pool.query(
    "select from pg_stat_activity where state = 'active' and query like '%as nap%' and pid <> pg_backend_pid() and datname = current_database()",
  );
  return (rowCount ?? 0) > 0;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 1000; look++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("what was waited for did not come");
}

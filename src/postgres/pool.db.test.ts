import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogger } from "../base/logger.ts";
import { withDatabase, type DatabaseConnection } from "./connection.ts";
import { isRetryable } from "./database-errors.ts";
import { openDatabase, transaction, type Database } from "./pool.ts";
import { createEmptyDatabase, testServer, type TestDatabase } from "./testing/test-database.ts";

const logger = openLogger("silent", "test");
const options = { applicationName: "test", maxConnections: 2, logger };

let database: TestDatabase;
beforeAll(async () => {
  database = await createEmptyDatabase(2);
  await database.pool.query("create table t (a integer primary key)");
});
afterAll(() => database.drop());

async function count(from: Database): Promise<unknown> {
  return (await from.pool.query("select count(*)::int as n from t")).rows;
}

describe("openDatabase", () => {
  it("reads bigint as BigInt, alone and in arrays, and leaves other types", async () => {
    const { rows } = await database.pool.query(
      `select 9223372036854775807 as a, array[1, -9223372036854775808, null]::bigint[] as b, '{}'::bigint[] as c,
              1.50::numeric as d, 7 as e`,
    );
    expect(rows).toEqual([{ a: 2n ** 63n - 1n, b: [1n, -(2n ** 63n), null], c: [], d: "1.50", e: 7 }]);
  });

  it("sends BigInt parameters", async () => {
    const { rows } = await database.pool.query("select $1::bigint as a, $2::bigint[] as b", [-(2n ** 63n), [1n, 2n]]);
    expect(rows).toEqual([{ a: -(2n ** 63n), b: [1n, 2n] }]);
  });

  it("ends statements that take longer than allowed", async () => {
    const short = await openDatabase({ ...options, connection: database.connection, statementTimeout: 50 });
    await expect(short.pool.query("select pg_sleep(60)")).rejects.toMatchObject({ code: "57014" });
    await short.close();
  });

  it("refuses a database that is not UTF-8", async () => {
    const name = `stoker_test_latin1_${process.pid}`;
    await database.pool.query(`create database ${name} template template0 encoding 'LATIN1' locale 'C'`);
    try {
      await expect(
        openDatabase({ ...options, connection: withDatabase(database.connection, name) }),
      ).rejects.toMatchObject({ code: "setting", message: expect.stringContaining("encoding is LATIN1") as string });
    } finally {
      await database.pool.query(`drop database ${name}`);
    }
  });

  it.each<[string, DatabaseConnection | (() => DatabaseConnection), string, string]>([
    ["nobody listens", { url: "postgres://u:secret@127.0.0.1:9/d" }, "database-unavailable", "no PostgreSQL answers"],
    [
      "no such socket",
      { host: "/nowhere", port: 1, user: "u", password: "secret", database: "d" },
      "setting",
      "ENOENT",
    ],
    ["no such host", { url: "postgres://u:secret@stoker.invalid/d" }, "database-unavailable", "no PostgreSQL answers"],
    ["no such database", () => withDatabase(testServer(), "nowhere"), "setting", "the database does not exist"],
    ["no address", { url: "postgres://u:secret@[:x/d" }, "setting", "STOKER_DATABASE_URL"],
  ])("says what to do when %s", async (_, connection, code, message) => {
    const opened = openDatabase({
      ...options,
      connection: typeof connection === "function" ? connection() : connection,
    });
    const error = await opened.then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    expect(error).toMatchObject({ code, expression: "STOKER_DATABASE_URL" });
    expect(error?.message).toContain(message);
    expect(error?.message).not.toContain("secret");
  });
});

describe("transaction", () => {
  it("commits, and rolls back when its work throws", async () => {
    await transaction(database, (client) => client.query("insert into t values (1)"));
    const failing = transaction(database, async (client) => {
      await client.query("insert into t values (2)");
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await count(database)).toEqual([{ n: 1 }]);
  });

  it("passes on the server's errors and leaves a usable connection", async () => {
    for (let round = 0; round < 5; round++) {
      const failing = transaction(database, (client) => client.query("insert into t values (1)"));
      await expect(failing).rejects.toMatchObject({ code: "23505" });
    }
    expect(database.pool.totalCount).toBeLessThanOrEqual(2);
    expect(await count(database)).toEqual([{ n: 1 }]);
  });

  it("closes a connection that was lost, and says that trying again may help", async () => {
    const failing = transaction(database, (client) => client.query("select pg_terminate_backend(pg_backend_pid())"));
    const error: unknown = await failing.catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "database-unavailable" });
    expect(isRetryable(error)).toBe(true);
    expect(await count(database)).toEqual([{ n: 1 }]);
  });

  it("says that a full disk is a full database", async () => {
    const failing = transaction(database, (client) => client.query("do $$ begin raise sqlstate '53100'; end $$"));
    await expect(failing).rejects.toMatchObject({ code: "database-full" });
  });

  it("runs a transaction again that PostgreSQL ended because of another one", async () => {
    let attempts = 0;
    const result = await transaction(database, async (client) => {
      attempts++;
      await client.query("insert into t values ($1)", [50 + attempts]);
      if (attempts < 3) await client.query("do $$ begin raise sqlstate '40001'; end $$");
      return attempts;
    });
    expect(result).toBe(3);
    expect((await database.pool.query("select a from t where a > 50")).rows).toEqual([{ a: 53 }]);
    await database.pool.query("delete from t where a > 50");
  });

  it("gives connections of serialization failures back, and calls them retryable", async () => {
    let attempts = 0;
    const failing = transaction(database, (client) => {
      attempts++;
      return client.query("do $$ begin raise sqlstate '40001'; end $$");
    });
    expect(isRetryable(await failing.catch((error: unknown) => error))).toBe(true);
    expect(attempts).toBe(5);
  });

  it("does not depend on the isolation that a role has by default, nor on options of the address", async () => {
    const name = `stoker_test_role_${process.pid}`;
    await database.pool.query(`create role ${name} login superuser password 'p'`);
    await database.pool.query(`alter role ${name} set default_transaction_isolation = serializable`);
    const { host, port, database: base } = database.connection as { host: string; port: number; database: string };
    const place = host.startsWith("/") ? `/${base}?host=${encodeURIComponent(host)}&port=${port}&` : undefined;
    const url = `postgres://${name}:p@${place ?? `${host}:${port}/${base}?`}options=-c%20work_mem%3D5MB`;
    const other = await openDatabase({ ...options, connection: { url } });
    try {
      const { rows } = await other.pool.query(
        `select current_user::text as name, current_setting('transaction_isolation') as isolation,
                current_setting('work_mem') as memory, current_setting('idle_in_transaction_session_timeout') as idle`,
      );
      expect(rows).toEqual([{ name, isolation: "read committed", memory: "5MB", idle: "1min" }]);
    } finally {
      await other.close();
      await database.pool.query(`drop role ${name}`);
    }
  });
});

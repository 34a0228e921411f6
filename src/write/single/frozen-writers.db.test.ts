import { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientConfig } from "../../postgres/connection.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";
import { endFrozenWriters, WRITER_NAME } from "./frozen-writers.ts";
import { AdvisoryLock } from "../../postgres/advisory-locks.ts";

let database: TestDatabase;
const undo: (() => Promise<void>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(async () => {
  for (const end of undo) await end();
  await database.drop();
});

/** A session that has gone silent after these statements; tells whether it is still there. */
async function silentSession(name: string, ...statements: string[]): Promise<() => Promise<boolean>> {
  const client = new Client(clientConfig(database.connection, { applicationName: name }));
  client.on("error", () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const pid = rows[0]?.pid;
  for (const statement of statements) {
    // A COPY gets no rows, and so is never done.
    if (statement.startsWith("copy")) client.query(copyFrom(statement)).on("error", () => undefined);
    else await client.query(statement);
  }
  const look = async (): Promise<string | undefined> => {
    const found = await database.pool.query<{ state: string }>(
      "select wait_event || ' ' || query as state from pg_stat_activity where pid = $1",
      [pid],
    );
    return found.rows[0] === undefined ? undefined : (found.rows[0].state ?? "");
  };
  while ((await look()) !== `ClientRead ${statements.at(-1) ?? ""}`);
  undo.push(() => client.end());
  return async () => (await look()) !== undefined;
}

test.each([
  [true, "a writer in the middle of a COPY", WRITER_NAME, ["begin", "copy stale_row from stdin"]],
  [true, "a writer that holds a name", WRITER_NAME, [`select pg_advisory_lock(${String(AdvisoryLock.name)}, 7)`]],
  [false, "a writer that holds nothing", WRITER_NAME, ["select 1"]],
  [false, "somebody else in the middle of a COPY", "psql", ["begin", "copy stale_row from stdin"]],
])("ends (%s) %s", async (isEnded, _, name, statements) => {
  const isThere = await silentSession(name, ...statements);
  await endFrozenWriters(database.pool);
  expect(await isThere(), "not yet silent for long").toBe(true);
  await endFrozenWriters(database.pool, 0);
  if (isEnded) while (await isThere());
  else expect(await isThere()).toBe(true);
});

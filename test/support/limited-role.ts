import { randomBytes } from "node:crypto";
import type { DatabaseConnection } from "../../src/postgres/connection.ts";
import { createEmptyDatabase, testServer } from "../../src/postgres/testing/test-database.ts";
import { databaseUrl } from "../../src/bench/databases.ts";
import { withSession } from "./fingerprints.ts";
import { makeTestStore } from "./test-store.ts";

/** A database of a role that is no superuser, so that limits apply to it. */
export interface LimitedRole {
  /** As STOKER_DATABASE_URL takes it. */
  readonly url: string;
  /** The same database for a superuser. */
  readonly admin: DatabaseConnection;
  /** How many connections it may have; -1 = any number. Those it has stay. */
  limitConnections(count: number): Promise<void>;
  /** A setting that its next sessions begin with. */
  set(name: string, value: string): Promise<void>;
  /** Ends all its sessions. */
  endSessions(): Promise<void>;
  drop(): Promise<void>;
}

/** Makes a role and a database that it owns, with an empty store. */
export async function openLimitedRole(): Promise<LimitedRole> {
  const database = await createEmptyDatabase();
  const role = `stoker_test_${randomBytes(6).toString("hex")}`;
  const run = async (sql: string): Promise<void> => {
    await withSession(database.connection, (client) => client.query(sql));
  };
  await run(`create role ${role} login password 'limited'`);
  const { rows } = await database.pool.query<{ name: string }>("select current_database() as name");
  await run(`alter database ${rows[0]?.name ?? ""} owner to ${role}`);
  const url = new URL(databaseUrl(database.connection));
  url.username = role;
  url.password = "limited";
  await makeTestStore({ url: url.toString() });
  const endSessions = (): Promise<void> =>
    run(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
  return {
    url: url.toString(),
    admin: database.connection,
    limitConnections: (count) => run(`alter role ${role} connection limit ${String(count)}`),
    set: (name, value) => run(`alter role ${role} set ${name} = '${value}'`),
    endSessions,
    async drop() {
      await endSessions();
      await database.drop();
      await withSession(testServer(), (client) => client.query(`drop role ${role}`));
    },
  };
}

import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";
import { openLogger } from "../../base/logger.ts";
import { clientConfig, withDatabase, type DatabaseConnection } from "../connection.ts";
import { openDatabase, type Database } from "../pool.ts";

/** A separate database for a test file. */
export interface TestDatabase extends Database {
  /** Closes the pool and removes the database. */
  drop(): Promise<void>;
}

/**
 * Makes a fresh, migrated database (a clone of the run's template, some 30 ms) and opens a pool on it. For `beforeAll`;
 * call `drop()` in `afterAll`.
 */
export async function createTestDatabase(maxConnections = 8): Promise<TestDatabase> {
  const { template } = inject("postgres");
  return await createDatabase(`template ${template} strategy file_copy`, maxConnections);
}

/** Makes an empty database, without the schema. */
export async function createEmptyDatabase(maxConnections = 8): Promise<TestDatabase> {
  return await createDatabase("template template0", maxConnections);
}

/** Makes a database with the schema that no server has opened yet: without the key of hashes and the time zone of a store. */
export async function createUnopenedStore(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  await database.pool.query("delete from hash_key; delete from time_zone");
  return database;
}

/** The server of this test run; its default database must not be written to. */
export function testServer(): DatabaseConnection {
  return inject("postgres").server;
}

async function createDatabase(origin: string, maxConnections: number): Promise<TestDatabase> {
  const { server } = inject("postgres");
  const name = `stoker_test_${randomBytes(8).toString("hex")}`;
  await administer(server, `create database ${name} ${origin}`);
  const connection = withDatabase(server, name);
  const logger = openLogger("silent", "test");
  const database = await openDatabase({ connection, applicationName: "test", maxConnections, logger });
  return {
    ...database,
    async drop() {
      await database.close();
      await administer(server, `drop database if exists ${name} with (force)`);
    },
  };
}

async function administer(server: DatabaseConnection, sql: string): Promise<void> {
  const client = new Client(clientConfig(server, { applicationName: "test" }));
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

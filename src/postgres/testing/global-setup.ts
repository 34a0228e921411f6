import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { openLogger } from "../../base/logger.ts";
import { withDatabase, type DatabaseConnection } from "../connection.ts";
import { openEmbedded } from "../embedded/open-embedded.ts";
import { TEST_HASH_KEY } from "../../../test/support/hash-key.ts";
import { openHashKey } from "../../store/identity/hash-key.ts";
import { migrate } from "../migrate.ts";
import { openDatabase } from "../pool.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The server of this run, and the name of a migrated database on it to clone. */
    postgres: { readonly server: DatabaseConnection; readonly template: string };
  }
}

/**
 * Starts one PostgreSQL for the whole test run (or uses the one of STOKER_TEST_DATABASE_URL) with one migrated
 * database that tests clone: see {@link ./test-database.ts}. Returns the clean-up.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const undo: (() => Promise<void>)[] = [];
  const teardown = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const server = await openServer(undo);
    const template = `stoker_test_template_${process.pid}`;
    const logger = openLogger("warn", "test");
    const admin = await openDatabase({ connection: server, applicationName: "test", maxConnections: 1, logger });
    undo.push(() => admin.close());
    await admin.pool.query(`create database ${template}`);
    undo.push(async () => {
      await admin.pool.query(`drop database if exists ${template} with (force)`);
    });
    const connection = withDatabase(server, template);
    const database = await openDatabase({ connection, applicationName: "test", maxConnections: 1, logger });
    try {
      await migrate(database);
      await openHashKey(database.pool, () => TEST_HASH_KEY);
    } finally {
      await database.close();
    }
    project.provide("postgres", { server, template });
    return teardown;
  } catch (error) {
    await teardown();
    throw error;
  }
}

async function openServer(undo: (() => Promise<void>)[]): Promise<DatabaseConnection> {
  const url = process.env["STOKER_TEST_DATABASE_URL"];
  if (url !== undefined && url !== "") return { url };
  const folder = await mkdtemp(join(tmpdir(), "stoker-test-"));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o711); // the server's user must get in when the tests run as root
  const server = await openEmbedded({
    dataDirectory: join(folder, "data"),
    logger: openLogger("warn", "test"),
    durable: false,
    memoryBytes: 1024 ** 3,
  });
  undo.push(() => server.close());
  return server.connection;
}

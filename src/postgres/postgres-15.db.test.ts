import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogger } from "../base/logger.ts";
import { readPostmasterFile } from "./embedded/leftover-server.ts";
import { pause } from "./embedded/processes.ts";
import { chooseServerUser } from "./embedded/server-user.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { openDatabase, transaction, type Database } from "./pool.ts";

/** Where Debian puts the oldest PostgreSQL we work with. */
const PROGRAMS = "/usr/lib/postgresql/15/bin";
const available = existsSync(join(PROGRAMS, "initdb"));
if (!available) process.stderr.write(`skipped: PostgreSQL 15 is not installed in ${PROGRAMS}\n`);

describe.runIf(available)("a server of the oldest supported version, by its address", () => {
  let folder: string;
  let database: Database;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stoker-pg15-"));
    const user = process.getuid?.() === 0 ? await chooseServerUser() : undefined;
    const identity = user === undefined ? {} : { uid: user.uid, gid: user.gid };
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    await chmod(folder, 0o700);
    const data = join(folder, "data");
    await promisify(execFile)(
      join(PROGRAMS, "initdb"),
      ["-D", data, "-U", "tester", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
      { cwd: folder, ...identity },
    );
    const server = spawn(
      join(PROGRAMS, "postgres"),
      ["-D", data, "-c", "listen_addresses=", "-c", "fsync=off", "-k", folder],
      {
        cwd: folder,
        stdio: "ignore",
        ...identity,
      },
    );
    const ended = new Promise((resolve) => server.once("exit", resolve));
    stop = async () => {
      server.kill("SIGINT");
      await ended;
    };
    while ((await readPostmasterFile(data))?.status !== "ready" && server.exitCode === null) await pause(20);
    const url = `postgres://tester@localhost/postgres?host=${encodeURIComponent(folder)}`;
    const logger = openLogger("silent", "test");
    database = await openDatabase({ connection: { url }, applicationName: "test", maxConnections: 2, logger });
  });
  afterAll(async () => {
    await database?.close();
    await stop?.();
    await rm(folder, { recursive: true });
  });

  it("takes all migrations", async () => {
    const migrations = await readMigrations();
    expect(await migrate(database)).toEqual(migrations.map(({ number }) => number));
    expect(await migrate(database)).toEqual([]);
  });

  it("stores and returns a row", async () => {
    await transaction(database, (client) =>
      client.query("insert into body_block (id, raw_length, bytes) values ($1, $2, $3)", [
        2n ** 62n,
        3,
        Buffer.from("abc"),
      ]),
    );
    const { rows } = await database.pool.query("select id, raw_length, bytes from body_block");
    expect(rows).toEqual([{ id: 2n ** 62n, raw_length: 3, bytes: Buffer.from("abc") }]);
  });
});

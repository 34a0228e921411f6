import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openLogger } from "../../base/logger.ts";
import { clientConfig, type DatabaseConnection } from "../connection.ts";
import { compileChildProgram, waitForLine, type ChildProgram } from "../testing/child-program.ts";
import { openEmbedded, type EmbeddedOptions, type EmbeddedServer } from "./open-embedded.ts";
import { isAlive, signal, waitUntilGone } from "./processes.ts";

const logger = openLogger("silent", "test");
const isRoot = process.getuid?.() === 0;

let folder: string;
let data: string;
let open: EmbeddedServer[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-embedded-"));
  await chmod(folder, 0o755);
  data = join(folder, "data");
  open = [];
});
afterEach(async () => {
  for (const server of open) await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedServer> {
  const server = await openEmbedded({
    dataDirectory: data,
    logger,
    durable: false,
    memoryBytes: 2 ** 29,
    folders: [join(folder, "reachable")],
    ...options,
  });
  open.push(server);
  return server;
}

async function query(connection: DatabaseConnection, sql: string): Promise<unknown[]> {
  const client = new Client(clientConfig(connection, { applicationName: "test" }));
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

async function watchdogOf(server: number): Promise<number> {
  for (const entry of await readdir("/proc")) {
    const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (command.includes(`stoker-watchdog\0${server}\0`)) return Number(entry);
  }
  return 0;
}

describe("openEmbedded", () => {
  it("makes a cluster, and finds it again with its data", async () => {
    const first = await start();
    await query(first.connection, "create table t as select 2::bigint ^ 3 as a");
    await first.close();
    expect(await isAlive(first.pid)).toBe(false);
    const second = await start();
    expect(await query(second.connection, "select a from t")).toEqual([{ a: 8 }]);
    expect((await stat(join(data, "postgres"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(data, "postgres", "stoker.password"))).mode & 0o777).toBe(0o600);
  });

  it("refuses a second Stoker on the same folder, and leaves the first one's server alone", async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({
      code: "setting",
      expression: "STOKER_DATA_DIR",
      message: expect.stringContaining(`is in use by another Stoker (process ${process.pid} on `) as string,
    });
    expect(await query(first.connection, "select 1 as a")).toEqual([{ a: 1 }]);
  });

  it("runs several servers beside each other, and asks each for its password", async () => {
    const [first, second] = await Promise.all([start(), start({ dataDirectory: join(folder, "other") })]);
    expect(await query(second.connection, "select 1 as a")).toEqual([{ a: 1 }]);
    const wrong = { ...first.connection, password: "wrong" } as DatabaseConnection;
    await expect(query(wrong, "select 1")).rejects.toMatchObject({ code: "28P01" });
  });

  it.each([
    ["a long path", "long-".repeat(30)],
    ["a path with odd characters", `it's "quoted", $HOME \`x\` ü`],
  ])("starts at %s", async (_, name) => {
    const server = await start({ dataDirectory: join(folder, name) });
    const { host } = server.connection as { host: string };
    expect(await query(server.connection, "select 1 as a")).toEqual([{ a: 1 }]);
    await server.close();
    if (!host.startsWith(folder)) expect(existsSync(host)).toBe(false);
  });

  it("does parallel queries without POSIX shared memory", async () => {
    const server = await start({ settings: { dynamic_shared_memory_type: "mmap", debug_parallel_query: "on" } });
    expect(await query(server.connection, "select count(*)::int as n from generate_series(1, 100000)")).toEqual([
      { n: 100_000 },
    ]);
  });

  it("says what the server said when it does not start", async () => {
    await expect(start({ settings: { shared_buffers: "much" } })).rejects.toMatchObject({
      code: "setting",
      expression: "STOKER_DATA_DIR",
      message: expect.stringContaining('invalid value for parameter "shared_buffers": "much"') as string,
    });
    await (await start()).close(); // the folder was let go
  });

  it("refuses the cluster of another PostgreSQL", async () => {
    await (await start()).close();
    await writeFile(join(data, "postgres", "PG_VERSION"), "17\n");
    await expect(start()).rejects.toMatchObject({
      code: "setting",
      message: expect.stringContaining("is of PostgreSQL 17, and this Stoker brings PostgreSQL 18") as string,
    });
  });

  it("refuses a data folder that cannot be made", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(start({ dataDirectory: join(folder, "file", "data") })).rejects.toMatchObject({
      code: "setting",
      message: expect.stringContaining("ENOTDIR: not a directory") as string,
    });
  });

  it("removes what a killed initdb left", async () => {
    await mkdir(join(data, "postgres.new-1"), { recursive: true });
    await start();
    expect((await readdir(data)).filter((name) => name.includes(".new-"))).toEqual([]);
  });

  it.skipIf(isRoot)("refuses a data folder without write permission", async () => {
    await mkdir(data, { mode: 0o500 });
    await expect(start()).rejects.toMatchObject({
      message: expect.stringContaining("EACCES: permission denied") as string,
    });
  });

  it.runIf(isRoot)("as root, puts the cluster elsewhere when others cannot enter the data folder", async () => {
    await mkdir(join(folder, "closed"), { mode: 0o700 });
    const closed = { dataDirectory: join(folder, "closed", "data") };
    const first = await start(closed);
    await query(first.connection, "create table t as select 1 as a");
    await first.close();
    const pointer = (await readFile(join(closed.dataDirectory, "postgres.location"), "utf8")).trim();
    expect(pointer.startsWith(join(folder, "reachable", "clusters"))).toBe(true);
    const second = await start(closed);
    expect(await query(second.connection, "select a from t")).toEqual([{ a: 1 }]);
    await second.close();
    await rm(pointer, { recursive: true });
    await expect(start(closed)).rejects.toMatchObject({
      message: expect.stringContaining("which is not there") as string,
    });
  });

  it.runIf(isRoot)("as root, runs no programs from a folder that others may write to", async () => {
    await mkdir(join(folder, "closed"), { mode: 0o700 });
    await mkdir(join(folder, "reachable"));
    await chmod(join(folder, "reachable"), 0o777);
    await expect(start({ dataDirectory: join(folder, "closed", "data") })).rejects.toMatchObject({
      message: expect.stringContaining("belongs to another user") as string,
    });
  });
});

describe("openEmbedded after a crash", () => {
  let program: ChildProgram;
  beforeAll(async () => {
    program = await compileChildProgram(["postgres/embedded/open-embedded.ts", "base/logger.ts"]);
  });
  afterAll(() => program.close());

  /** Opens the folder in another process, which then runs `more` with `server` at hand. */
  async function startElsewhere(more: string): Promise<{ parent: number; server: number; gone: Promise<unknown> }> {
    const child = await program.start(`
      import { openEmbedded } from ${JSON.stringify(program.path("postgres/embedded/open-embedded.ts"))};
      import { openLogger } from ${JSON.stringify(program.path("base/logger.ts"))};
      const server = await openEmbedded({
        dataDirectory: ${JSON.stringify(data)}, logger: openLogger("silent", "test"), memoryBytes: 2 ** 29,
      });
      console.log("server " + server.pid);
      ${more}`);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const line = await waitForLine(child, /^server \d+$/);
    return { parent: child.pid ?? 0, server: Number(line.slice(7)), gone };
  }

  it("stops the server when Stoker is killed", async () => {
    const { parent, server, gone } = await startElsewhere("setInterval(() => {}, 1000);");
    signal(parent, "SIGKILL");
    await gone;
    expect(await waitUntilGone([server], 30_000)).toBe(true);
    expect(await query((await start()).connection, "select 1 as a")).toEqual([{ a: 1 }]);
  });

  it("stops the server when Stoker ends without closing it", async () => {
    const { server, gone } = await startElsewhere("");
    await gone;
    expect(await waitUntilGone([server], 30_000)).toBe(true);
  });

  it.runIf(process.platform === "linux")("stops the server that a Stoker killed with its watchdog left", async () => {
    const { parent, server, gone } = await startElsewhere("setInterval(() => {}, 1000);");
    signal(await watchdogOf(server), "SIGKILL");
    signal(parent, "SIGKILL");
    await gone;
    expect(await isAlive(server)).toBe(true);
    const next = await start();
    expect(await isAlive(server)).toBe(false);
    expect(await query(next.connection, "select 1 as a")).toEqual([{ a: 1 }]);
  });

  it.runIf(process.platform === "linux")("ends backends that outlived their postmaster", async () => {
    const server = await start();
    const client = new Client(clientConfig(server.connection, { applicationName: "test" }));
    client.on("error", () => undefined);
    await client.connect();
    const [row] = (await client.query<{ pid: number }>("select pg_backend_pid() as pid")).rows;
    // A loop that never looks up: pg_sleep would notice the postmaster's death.
    const busy = client.query("select count(*) from generate_series(1, 1e12::bigint)").catch(() => undefined);
    signal(server.pid, "SIGKILL");
    await server.ended;
    await server.close();
    expect(await isAlive(row?.pid ?? 0)).toBe(true);
    const next = await start();
    expect(await isAlive(row?.pid ?? 0)).toBe(false);
    expect(await query(next.connection, "select 1 as a")).toEqual([{ a: 1 }]);
    await busy;
    await client.end().catch(() => undefined);
  });

  it("is not stopped by lock files whose process id is another's now", async () => {
    const server = await start();
    const file = await readFile(join(data, "postgres", "postmaster.pid"), "utf8");
    await server.close();
    const foreign = file.replace(/^\d+/, String(process.pid));
    await writeFile(join(data, "postgres", "postmaster.pid"), foreign);
    await writeFile(join(data, "postgres", ".s.PGSQL.5432.lock"), foreign);
    const next = await start();
    expect(await query(next.connection, "select 1 as a")).toEqual([{ a: 1 }]);
  });
});

import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogger } from "../src/base/logger.ts";
import { startCoordinator } from "../src/import/coordinator.ts";
import { createWaiter, openImportSignal } from "../src/jobs/signal.ts";
import {
  completeUnit,
  idOf,
  input,
  openImportServer,
  plannedUnits,
  registration,
  unitsOf,
  waitFor,
  type ImportServer,
} from "./support/import-server.ts";

const FOREVER = 60_000;

let first: ImportServer;
let second: ImportServer;

beforeAll(async () => {
  first = await openImportServer({ coordinate: false });
  second = await openImportServer({ coordinate: false, database: first.database });
});

afterAll(async () => {
  await second.close();
  await first.close();
});

async function stateOf(id: string): Promise<number | undefined> {
  const { rows } = await first.pool.query<{ state: number }>("select state from import_job where id = $1", [id]);
  return rows[0]?.state;
}

async function registerFile(name: string, content: string): Promise<string> {
  return idOf(await first.register(registration([input(await first.file(name, content))])));
}

describe("the signal", () => {
  it("wakes this process and others, and remembers what came between two waits", async () => {
    const logger = openLogger("silent", "test");
    const here = await openImportSignal(first.pool, logger);
    const there = await openImportSignal(second.pool, logger);
    const never = new AbortController().signal;
    const [local, remote] = [createWaiter(here), createWaiter(there)];
    try {
      here.notify();
      await Promise.all([local.wait(FOREVER, never), remote.wait(FOREVER, never)]);
      const waiting = remote.wait(FOREVER, never);
      here.notify();
      await waiting;
    } finally {
      local.close();
      remote.close();
      await here.close();
      await there.close();
    }
  });

  it("listens again after its connection was lost", async () => {
    const signal = await openImportSignal(first.pool, openLogger("silent", "test"));
    const waiter = createWaiter(signal);
    try {
      await first.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen stoker_import' and datname = current_database()",
      );
      // The new connection wakes everybody, because a call may have been missed.
      await waiter.wait(FOREVER, new AbortController().signal);
    } finally {
      waiter.close();
      await signal.close();
    }
  });
});

describe("the coordinator", () => {
  it("goes on with a plan that another process began, and does not take one that it still holds", async () => {
    const held = await registerFile("held.ndjson", "x");
    const abandoned = await registerFile("abandoned.ndjson", "x");
    await first.pool.query(
      `update import_job set fence = 1, lease_until = clock_timestamp() + case when id = $1 then interval '1 hour' else interval '-1 s' end
       where id in ($1, $2)`,
      [held, abandoned],
    );
    await first.pool.query("update import_input set length = 1, source_etag = 'known' where job = $1", [abandoned]);
    first.coordinate();
    expect(await plannedUnits(first, abandoned)).toHaveLength(1);
    const { rows } = await first.pool.query<{ etag: string }>(
      "select source_etag as etag from import_input where job = $1",
      [abandoned],
    );
    expect(rows).toEqual([{ etag: "known" }]);
    expect(await unitsOf(first, held)).toEqual([]);
    await first.pool.query("update import_job set lease_until = null where id = $1", [held]);
    expect(await plannedUnits(first, held)).toHaveLength(1);
  });

  it("of two processes plans and finishes every job once", async () => {
    first.coordinate();
    second.coordinate();
    const before = first.published() + second.published();
    // The second server's file root is another folder: it may not read the first one's files, and fails what it plans.
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) ids.push(await registerFile(`both-${String(n)}.ndjson`, "x"));
    const states = await waitFor(
      () => Promise.all(ids.map(stateOf)),
      (all) => all.every((state) => state !== 0),
    );
    const running = ids.filter((_, n) => states[n] === 1);
    for (const id of running) {
      const units = await unitsOf(first, id);
      expect(units).toHaveLength(1);
      await completeUnit(first, units[0]?.id ?? "", {});
    }
    await waitFor(
      () => Promise.all(running.map(stateOf)),
      (all) => all.every((state) => state === 2),
    );
    expect(first.published() + second.published() - before).toBe(running.length);
    for (const [n, id] of ids.entries()) {
      if (states[n] === 3) expect(await unitsOf(first, id)).toEqual([]);
    }
  });

  it("publishes what a failed or cancelled import left, once no import is at work", async () => {
    const server = await openImportServer();
    const before = server.published();
    await server.pool.query("insert into segment (number, live, state, resources) values (901, false, 0, 5)");
    try {
      await waitFor(
        async () => server.published(),
        (published) => published > before,
      );
    } finally {
      await server.pool.query("delete from segment where number = 901");
    }
  });

  it("9: logs mode and counts of a completed import; a stop while it publishes is no error", async () => {
    const server = await openImportServer({ coordinate: false });
    const lines: Record<string, unknown>[] = [];
    const logger = pino(
      { level: "info" },
      { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
    );
    const signal = await openImportSignal(server.pool, logger);
    let publishing = 0;
    let waits = false;
    const publish = async (stop: AbortSignal): Promise<void> => {
      publishing += 1;
      if (waits) await sleep(FOREVER, undefined, { signal: stop });
    };
    const coordinator = startCoordinator({ database: server.pool, sources: neverUsed(), signal, logger, publish });
    try {
      const id = idOf(await server.register(registration([input(await server.file("a.ndjson", ""))])));
      await server.pool.query("update import_input set length = 0, source_etag = '' where job = $1", [id]);
      for (const unit of await plannedUnits(server, id)) await completeUnit(server, unit.id, {});
      await waitFor(
        async () => lines.filter((line) => line["job"] === id),
        (found) => found.length > 0,
      );
      const counts = { job: id, mode: "IncrementalLoad", loaded: expect.any(Number) as number, rejected: 0 };
      expect(lines).toEqual([expect.objectContaining({ level: 30, msg: "an import completed", ...counts })]);

      waits = true;
      const before = publishing;
      await server.pool.query("insert into segment (number, live, state, resources) values (902, false, 0, 5)");
      await waitFor(
        async () => publishing,
        (count) => count > before,
      );
    } finally {
      await coordinator.close();
      await signal.close();
      await server.close();
    }
    expect(lines.filter((line) => Number(line["level"]) >= 40)).toEqual([]);
  });

  it("tries again what may succeed the next time, and gives a job back when it is closed", async () => {
    const server = await openImportServer({ coordinate: false });
    const logger = openLogger("silent", "test");
    let attempts = 0;
    let release: (() => void) | undefined;
    const signal = await openImportSignal(server.pool, logger);
    const start = (publish: () => Promise<void>): ReturnType<typeof startCoordinator> =>
      startCoordinator({ database: server.pool, sources: neverUsed(), signal, logger, publish });
    try {
      const id = idOf(await server.register(registration([input(await server.file("a.ndjson", ""))])));
      await server.pool.query("update import_input set length = 0, source_etag = '' where job = $1", [id]);
      const failing = start(async () => {
        attempts += 1;
        throw new Error("not this time");
      });
      for (const unit of await plannedUnits(server, id)) await completeUnit(server, unit.id, {});
      signal.notify();
      await waitFor(
        async () => attempts,
        (count) => count === 1,
      );
      await failing.close();
      expect((await server.status(id)).status).toBe(202);

      await server.pool.query("update import_job set lease_until = null where id = $1", [id]);
      const slow = start(
        () =>
          new Promise((resolve) => {
            release = resolve;
            attempts += 1;
          }),
      );
      await waitFor(
        async () => attempts,
        (count) => count === 2,
      );
      const closing = slow.close();
      release?.();
      await closing;
      const { rows } = await server.pool.query("select state, lease_until from import_job where id = $1", [id]);
      expect(rows).toEqual([{ state: 1, lease_until: null }]);

      const last = start(async () => undefined);
      await waitFor(
        () => server.status(id),
        (answer) => answer.status === 200,
      );
      await last.close();
    } finally {
      await signal.close();
      await server.close();
    }
  });
});

function neverUsed(): Parameters<typeof startCoordinator>[0]["sources"] {
  return { checkConfigured: refuse, duplicateKey: refuse, checkUrl: refuse, sourceFor: refuse };
}

function refuse(): never {
  throw new Error("no source is needed here");
}

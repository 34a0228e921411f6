import { setTimeout as sleep } from "node:timers/promises";
import { openLogger } from "../base/logger.ts";
import { isMergeDue } from "../store/segments/merge-segments.ts";
import { openDatabase, type Database } from "../postgres/pool.ts";
import { withClient } from "../store/segments/publish.ts";
import { formatCount, formatDuration } from "../terminal/format.ts";
import { measurePointRead, measureSearches } from "./api-reads.ts";
import { measureWrites } from "./api-writes.ts";
import { runTimedImport } from "./import-run.ts";
import { withCopy, withStoker, type BenchContext } from "./phases.ts";
import type { ApiTimes } from "./results.ts";
import { collectSamples } from "./samples.ts";

const POLL_MS = 500;

/**
 * Reads, searches and writes by the API, on a store that was filled with copies of the data until it held `resources`, and
 * left alone until its small segments were merged. The clients are in this process, the server in one of its own.
 */
export async function measureApi(context: BenchContext, resources: number): Promise<ApiTimes> {
  const { input, say, signal } = context;
  return await withStoker(context, context.work, async (stoker, { connection }) => {
    let copies = 0;
    while (copies * input.lines < resources) {
      copies++;
      await withCopy(context, copies, (copy) => runTimedImport(stoker.base, copy, "IncrementalLoad", signal));
      say(`filled with ${formatCount(copies * input.lines)} resources`);
    }
    const logger = openLogger("warn", "bench");
    const database = await openDatabase({ connection, applicationName: "stoker bench", maxConnections: 1, logger });
    try {
      const mergeSeconds = await untilMerged(database, signal);
      const partitions = await countPartitions(database);
      say(`${formatDuration(mergeSeconds)} until segments were merged: ${String(partitions)} of them`);
      await context.server.checkpoint();
      const samples = await collectSamples(input, copies, signal);
      const pointRead = samples.patients.length === 0 ? undefined : await measurePointRead(database.pool, samples);
      const searches = await measureSearches(stoker.base, samples, signal, say);
      await context.server.checkpoint();
      const writes = await measureWrites(stoker.base, input, signal, say);
      return { resources: copies * input.lines, partitions, mergeSeconds, pointRead, searches, writes };
    } finally {
      await database.close();
    }
  });
}

/** Waits until no merge is due or under way; returns the seconds. */
async function untilMerged({ pool }: Database, signal: AbortSignal): Promise<number> {
  const started = performance.now();
  for (;;) {
    const isDue = await withClient(pool, signal, async (client) => {
      const { rowCount } = await client.query("select from segment_merge");
      return rowCount !== 0 || (await isMergeDue(client));
    });
    if (!isDue) return (performance.now() - started) / 1000;
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function countPartitions({ pool }: Database): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    "select count(*)::int as count from pg_inherits where inhparent = 'search_resource'::regclass",
  );
  return rows[0]?.count ?? 0;
}

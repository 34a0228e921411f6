import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "./statistics.ts";

/** Times of reads, milliseconds. */
export interface ReadTimes {
  readonly requests: number;
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** A client that keeps reading. */
export interface Reader {
  /** Waits for the reads that are under way. Throws the first read's error, if any failed. */
  stop(): Promise<ReadTimes>;
}

const INTERVAL_MS = 25;
/** A server that is slower than this many intervals gets no further reads until it answers. */
const MOST_AT_ONCE = 40;

/**
 * Begins to read `type/[id]` about every 25 ms, each id in turn. A read starts on time even when the one before has not
 * come back, so that a slow answer delays no other and none of the slow moments is left out.
 */
export function startReader(base: string, type: string, ids: readonly string[]): Reader {
  const times: number[] = [];
  const underWay = new Set<Promise<void>>();
  const stopped = new AbortController();
  let failure: unknown;
  const read = async (id: string): Promise<void> => {
    const started = performance.now();
    const response = await fetch(`${base}/${type}/${id}`);
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`GET ${type}/[id] answered ${String(response.status)}`);
    times.push(performance.now() - started);
  };
  const loop = (async (): Promise<void> => {
    let next = performance.now();
    for (let number = 0; !stopped.signal.aborted; number++) {
      const id = ids[number % ids.length];
      if (id === undefined) return;
      const reading = read(id).catch((error: unknown) => {
        failure ??= error;
      });
      underWay.add(reading);
      void reading.finally(() => underWay.delete(reading));
      if (underWay.size >= MOST_AT_ONCE) await Promise.race(underWay);
      next = Math.max(next + INTERVAL_MS, performance.now() - 1000);
      await sleep(Math.max(0, next - performance.now()), undefined, { signal: stopped.signal }).catch(() => {});
    }
  })();
  return {
    async stop() {
      stopped.abort();
      await loop;
      await Promise.all(underWay);
      if (failure !== undefined) throw failure;
      return readTimes(times);
    },
  };
}

/** Sums up times in milliseconds. */
export function readTimes(times: readonly number[]): ReadTimes {
  return {
    requests: times.length,
    median: percentile(times, 0.5),
    p95: percentile(times, 0.95),
    p99: percentile(times, 0.99),
    max: times.reduce((most, time) => Math.max(most, time), 0),
  };
}

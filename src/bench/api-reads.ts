import type { Pool } from "pg";
import { BlockCache, readBodies } from "../store/resources/body.ts";
import { readCurrent } from "../store/resources/read.ts";
import { readTimes, type ReadTimes } from "./reads.ts";
import { asClients, openRequests, type Requests } from "./requests.ts";
import type { Samples } from "./samples.ts";
import { SEARCHES, type Search } from "./searches.ts";

/** A kind of read, measured with so many clients at once. */
export interface SearchTimes extends ReadTimes {
  readonly title: string;
  readonly clients: number;
  readonly counts: boolean;
  /** Entries of an answer's page on average, or the total where one was asked for. */
  readonly found: number;
  readonly perSecond: number;
}

/** Clients at once. */
const CLIENTS = [1, 8];
const WARM_UP = 20;
const REQUESTS = 300;
/** A kind that is slow gets fewer requests. */
const SECONDS = 15;

/**
 * Sends each kind of read with changing values, by one client and by eight. Kinds that the server does not support (400)
 * or the data has no values for are left out.
 */
export async function measureSearches(
  base: string,
  samples: Samples,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<SearchTimes[]> {
  const requests = openRequests(base, signal);
  try {
    const measured: SearchTimes[] = [];
    for (const search of SEARCHES) {
      const times = await measureSearch(requests, search, samples);
      if (times.length === 0) say(`${search.title}: skipped: not supported by the server, or no values in the data`);
      else
        say(
          `${search.title}: p50 ${times.map(({ median, clients }) => `${median.toFixed(1)} ms (${String(clients)})`).join(", ")}`,
        );
      measured.push(...times);
    }
    return measured;
  } finally {
    requests.close();
  }
}

async function measureSearch(requests: Requests, search: Search, samples: Samples): Promise<SearchTimes[]> {
  const { title, counts } = search;
  const measured: SearchTimes[] = [];
  // Values go on from one number of clients to the next, so that none is asked for again while it is still at hand.
  let number = 0;
  for (const clients of CLIENTS) {
    const times: number[] = [];
    let found = 0;
    const ask = async (isWarm: boolean): Promise<void> => {
      const path = search.query(samples, number++);
      if (path === undefined) throw new LeftOut();
      const { status, body, time } = await requests.send("GET", path);
      if (status === 400) throw new LeftOut();
      if (status !== 200) throw new Error(`the search "${title}" was answered with ${String(status)}`);
      if (!isWarm) return;
      times.push(time);
      const bundle = JSON.parse(body.toString()) as { total?: number; entry?: unknown[]; resourceType?: string };
      found += bundle.resourceType === "Bundle" ? (bundle.total ?? bundle.entry?.length ?? 0) : 1;
    };
    try {
      await asClients(clients, { turns: WARM_UP, seconds: SECONDS }, () => ask(false));
      const seconds = await asClients(clients, { turns: REQUESTS, seconds: SECONDS }, () => ask(true));
      const perSecond = times.length / seconds;
      measured.push({ title, clients, counts, found: found / times.length, perSecond, ...readTimes(times) });
    } catch (error) {
      if (error instanceof LeftOut) return [];
      throw error;
    }
  }
  return measured;
}

class LeftOut extends Error {}

/** What a point read costs at least: the row of `head` and the block, one client, through a pool, the block opened. */
export async function measurePointRead(pool: Pool, samples: Samples): Promise<ReadTimes> {
  const times: number[] = [];
  const noCache = new BlockCache(0);
  for (let number = 0; number < WARM_UP + REQUESTS; number++) {
    const id = samples.patients[(number * 37) % samples.patients.length]?.id ?? "";
    const started = performance.now();
    const found = await readCurrent(pool, "Patient", id);
    if (found !== undefined) await readBodies(pool, noCache, [found.place]);
    if (number >= WARM_UP) times.push(performance.now() - started);
  }
  return readTimes(times);
}

import { createReadStream, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findRealData } from "./support/real-data.ts";
import { randomSearches } from "./support/search-oracle/criteria.ts";
import { note, randomFor, SCALE } from "./support/search-oracle/scale.ts";
import { compareSearches, openOracleServer, type OracleServer } from "./support/search-oracle/server.ts";
import { TERMINOLOGY } from "./support/search-oracle/terminology.ts";
import type { Stored } from "./support/search-oracle/world.ts";

const folder = findRealData();

/** Lines of the beginning of a file. */
async function firstResources(path: string, count: number): Promise<Stored[]> {
  const file = createReadStream(path);
  const lines = createInterface({ input: path.endsWith(".gz") ? file.pipe(createGunzip()) : file });
  const found: Stored[] = [];
  for await (const line of lines) {
    if (line !== "") found.push(JSON.parse(line) as Stored);
    if (found.length === count) break;
  }
  lines.close();
  file.destroy();
  return found;
}

describe.skipIf(folder === undefined)("real data (skipped without STOKER_TEST_DATA)", () => {
  let oracle: OracleServer;

  beforeAll(async () => {
    const names = readdirSync(folder ?? "").filter((name) => /\.ndjson(\.gz)?$/.test(name));
    const files = names.map((name) => ({ path: join(folder ?? "", name), type: basename(name).split(".")[0] ?? "" }));
    const all: Stored[] = [];
    for (const { path, type } of files) {
      // Few patients with much about them: references are to lead somewhere.
      all.push(...(await firstResources(path, type === "Observation" ? 200 : 40)));
    }
    oracle = await openOracleServer([...all, ...TERMINOLOGY]);
  }, 300_000);

  afterAll(() => oracle?.close());

  test("searches of all kinds find what an oracle finds", { timeout: 3_600_000 }, async () => {
    const random = randomFor(20);
    const searches = randomSearches(random, oracle.world, 120 * SCALE);
    const { found, differences } = await compareSearches(oracle, searches);
    note(`${searches.length} searches of real data, ${found} find something`);
    expect(differences).toEqual([]);
  });
});

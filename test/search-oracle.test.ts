import { afterAll, beforeAll, expect, test } from "vitest";
import { containedSearches, criterionOn, randomSearches, searchable } from "./support/search-oracle/criteria.ts";
import { TYPES } from "./support/search-oracle/definitions.ts";
import { generateResources } from "./support/search-oracle/resources.ts";
import { note, randomFor, SCALE } from "./support/search-oracle/scale.ts";
import {
  compareSearches,
  openOracleServer,
  type Difference,
  type OracleServer,
} from "./support/search-oracle/server.ts";
import { TERMINOLOGY } from "./support/search-oracle/terminology.ts";
import type { Search, Stored } from "./support/search-oracle/world.ts";

let oracle: OracleServer;

beforeAll(async () => {
  const count = SCALE > 1 ? 16 : 6;
  const earlier = generateResources(randomFor(9), count + 1).filter((_, index) => index % 3 === 0);
  oracle = await openOracleServer([...generateResources(randomFor(0), count), ...TERMINOLOGY], earlier);
}, 300_000);

afterAll(() => oracle?.close());

/** Asks the server and the oracle. */
async function compareAll(searches: readonly Search[]): Promise<readonly Difference[]> {
  const { found, differences } = await compareSearches(oracle, searches);
  note(`${searches.length} searches, ${found} find something, ${differences.length} differ`);
  return differences;
}

function ofType(type: string): Stored[] {
  return oracle.world.resources.filter(({ resourceType }) => resourceType === type);
}

test("every search parameter of every type finds what its definition says", { timeout: 3_600_000 }, async () => {
  const random = randomFor(1);
  const searches = TYPES.flatMap((type) =>
    searchable(type).flatMap((definition) =>
      Array.from({ length: SCALE }, () => ({
        type,
        criteria: [criterionOn(random, oracle.world, definition, ofType(type))],
      })),
    ),
  );
  expect(await compareAll(searches)).toEqual([]);
});

test("combinations, chains and _has of any depth", { timeout: 3_600_000 }, async () => {
  const random = randomFor(2);
  const searches = randomSearches(random, oracle.world, 300 * SCALE);
  expect(await compareAll(searches)).toEqual([]);
});

test("chains into contained resources", { timeout: 3_600_000 }, async () => {
  const random = randomFor(4);
  const searches = containedSearches(random, oracle.world, 150 * SCALE);
  expect(await compareAll(searches)).toEqual([]);
});

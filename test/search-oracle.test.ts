import { afterAll, beforeAll, expect, test } from "vitest";
import { criterionOn, deepCriterion, searchable } from "./support/search-oracle/criteria.ts";
import { TYPES } from "./support/search-oracle/definitions.ts";
import { written } from "./support/search-oracle/query.ts";
import { generateResources } from "./support/search-oracle/resources.ts";
import { note, randomFor, SCALE } from "./support/search-oracle/scale.ts";
import {
  compare,
  inParallel,
  nameOf,
  openOracleServer,
  type Difference,
  type OracleServer,
} from "./support/search-oracle/server.ts";
import { TERMINOLOGY } from "./support/search-oracle/terminology.ts";
import type { Criterion, Stored } from "./support/search-oracle/world.ts";

let oracle: OracleServer;

beforeAll(async () => {
  const count = SCALE > 1 ? 16 : 6;
  const earlier = generateResources(randomFor(9), count + 1).filter((_, index) => index % 3 === 0);
  oracle = await openOracleServer([...generateResources(randomFor(0), count), ...TERMINOLOGY], earlier);
}, 300_000);

afterAll(() => oracle?.close());

interface Search {
  readonly type: string;
  readonly criteria: readonly Criterion[];
}

/** Asks the server and the oracle. */
async function compareAll(searches: readonly Search[]): Promise<Difference[]> {
  const differences: Difference[] = [];
  let found = 0;
  await inParallel(searches, async ({ type, criteria }) => {
    const expected = ofType(type).filter((resource) => criteria.every((each) => oracle.world.matches(resource, each)));
    found += Math.min(expected.length, 1);
    const path = `/${type}?${criteria.map(written).join("&")}`;
    const difference = await compare(() => oracle.matches(path), decodeURIComponent(path), expected.map(nameOf));
    if (difference !== undefined) differences.push(difference);
  });
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
  const searches: Search[] = [];
  while (searches.length < 300 * SCALE) {
    const resource = random.pick(oracle.world.resources);
    const criteria = Array.from({ length: 1 + random.below(3) }, () =>
      deepCriterion(random, oracle.world, resource, random.below(4)),
    ).filter((criterion) => criterion !== undefined);
    if (criteria.length > 0) searches.push({ type: resource.resourceType, criteria });
  }
  expect(await compareAll(searches)).toEqual([]);
});

import type { ClientBase } from "pg";
import type { Indexer } from "../../index/indexer.ts";
import { learnDisplacedIds } from "../../store/identity/displaced-ids.ts";
import { readDefinitions } from "../../store/search/search-parameters.ts";

/**
 * Makes the indexer take the values of all search parameters that are defined now, and know all ids that are displaced, on the
 * client of whoever writes them.
 */
export async function updateIndexer(client: ClientBase, indexer: Indexer): Promise<void> {
  const definitions = await readDefinitions(client);
  // Afterwards: what the definitions' generation knows must be known when the indexer has that generation.
  await learnDisplacedIds(client);
  if (definitions.generation !== indexer.generation) indexer.extend(definitions);
}

import type { ClientBase } from "pg";
import type { Indexer } from "../../index/indexer.ts";
import { readDefinitions } from "../../store/search-parameters.ts";

/** Makes the indexer take the values of all search parameters that are defined now, on the client of whoever writes them. */
export async function updateIndexer(client: ClientBase, indexer: Indexer): Promise<void> {
  const definitions = await readDefinitions(client);
  if (definitions.generation !== indexer.generation) indexer.extend(definitions);
}

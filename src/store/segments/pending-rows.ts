import type { ClientBase } from "pg";

/**
 * Merges the pending list of a live segment's equality index, which every search reads from end to end: after some
 * thousand API writes that is most of a search's time. Writers may go on meanwhile.
 */
export async function mergePendingRows(client: ClientBase, segment: number): Promise<void> {
  await client.query("select gin_clean_pending_list($1::regclass)", [`search_resource_${segment}_equality`]);
}

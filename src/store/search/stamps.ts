import type { ClientBase } from "pg";

/** What `row_stamp` advances by. */
const STAMPS_PER_FETCH = 65536;

/** Hands out runs of stamps: numbers that tell the search rows of one write of a resource from those of another. */
export class Stamps {
  #next = 0;
  #left = 0;

  /** The first of `count` stamps in a row; count is at most 65,536. */
  async take(client: ClientBase, count: number): Promise<number> {
    const first = await this.reserve(client, count);
    this.use(count);
    return first;
  }

  /** As {@link take}, but they are handed out again as long as {@link use} does not say how many of them were needed. */
  async reserve(client: ClientBase, count: number): Promise<number> {
    if (this.#left < count) {
      // On disk at once: not handed out again after a crash of PostgreSQL, whatever commits are lost with it.
      const fetched = await client.query<{ stamp: number }>(
        "select nextval('row_stamp')::integer as stamp, set_config('synchronous_commit', 'on', true)",
      );
      this.#next = fetched.rows[0]?.stamp ?? 0;
      this.#left = STAMPS_PER_FETCH;
    }
    return this.#next;
  }

  /** The first `count` of the reserved stamps are in use now. */
  use(count: number): void {
    this.#next += count;
    this.#left -= count;
  }
}

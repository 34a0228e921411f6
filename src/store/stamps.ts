import type { ClientBase } from "pg";

/** What `row_stamp` advances by. */
const STAMPS_PER_FETCH = 65536;

/** Hands out runs of stamps: numbers that tell the search rows of one write of a resource from those of another. */
export class Stamps {
  #next = 0;
  #left = 0;

  /** The first of `count` stamps in a row; count is at most 65,536. */
  async take(client: ClientBase, count: number): Promise<number> {
    if (this.#left < count) {
      const fetched = await client.query<{ stamp: number }>("select nextval('row_stamp')::integer as stamp");
      this.#next = fetched.rows[0]?.stamp ?? 0;
      this.#left = STAMPS_PER_FETCH;
    }
    const first = this.#next;
    this.#next += count;
    this.#left -= count;
    return first;
  }
}

import type { ClientBase } from "pg";
import { countIntoSegment, openSegment } from "./segments.ts";

/** Imports of so many bytes go to bulk segments, smaller ones to the live segment: below, building indexes costs more than it saves. */
const BULK_IMPORT_BYTES = 32 << 20;
/** Resources after which those written are counted into their segment: the count is a guide, and many batches are tiny. */
const COUNT_EVERY = 500;

/** The segments a writer writes to: one live, one bulk, opened when first needed and again when full. */
export class TargetSegments {
  readonly #open: Map<boolean, TargetSegment> = new Map();
  /** Resources by segment. */
  readonly #uncounted: Map<number, number> = new Map();

  /** The segment for an import of `importBytes` bytes in all. Not to be called in a transaction. */
  async open(client: ClientBase, importBytes: number): Promise<TargetSegment> {
    const live = importBytes < BULK_IMPORT_BYTES;
    let target = this.#open.get(live);
    if (target === undefined) {
      target = { number: await openSegment(client, live), live };
      this.#open.set(live, target);
    }
    return target;
  }

  /** To be called when the segment was found closed: another one is opened next time. */
  forget(target: TargetSegment): void {
    this.#open.delete(target.live);
  }

  /** Counts resources into the segment after their commit, from time to time; false when it is full, and another one is opened next time. */
  async count(client: ClientBase, target: TargetSegment, resources: number): Promise<boolean> {
    const uncounted = (this.#uncounted.get(target.number) ?? 0) + resources;
    this.#uncounted.set(target.number, uncounted);
    if (uncounted < COUNT_EVERY) return true;
    const open = await countIntoSegment(client, target.number, uncounted);
    this.#uncounted.delete(target.number);
    if (!open) this.forget(target);
    return open;
  }
}

/** Where a batch's search rows go. */
export interface TargetSegment {
  number: number;
  /** A live segment is written to while it is indexed, a bulk one while it is loading. */
  live: boolean;
}

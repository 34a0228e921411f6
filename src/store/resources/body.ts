import { inflateRawSync } from "node:zlib";
import { LARGE_BYTES, ownTurn } from "../../base/own-turn.ts";
import type { BodyPlace } from "./body-blocks.ts";
import type { Queryable } from "../../postgres/pool.ts";

/** Keeps the blocks that were opened last, so that neighbours of a resource are read without opening theirs again. */
export class BlockCache {
  readonly #blocks = new Map<bigint, Buffer>();
  readonly #capacity: number;
  #bytes = 0;

  /** `capacity` in bytes of uncompressed blocks; 0 keeps none. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The uncompressed block, which then counts as used last. */
  get(id: bigint): Buffer | undefined {
    const block = this.#blocks.get(id);
    if (block !== undefined) {
      this.#blocks.delete(id);
      this.#blocks.set(id, block);
    }
    return block;
  }

  /**
   * Adds a block, dropping those that were not used for longest: their memory is gone then. False when it stays out, as
   * those of more than a quarter of the cache do.
   */
  add(id: bigint, block: Buffer): boolean {
    if (block.length > this.#capacity / 4 || this.#blocks.has(id)) return false;
    this.#blocks.set(id, block);
    this.#bytes += block.length;
    for (const [oldestId, oldest] of this.#blocks) {
      if (this.#bytes <= this.#capacity) break;
      this.#blocks.delete(oldestId);
      this.#bytes -= oldest.length;
      release(oldest);
    }
    return true;
  }
}

/** Bytes of small blocks that are opened in one turn. */
const MANY_BYTES = 1024 * 1024;

/** Capacity of a server's block cache: some 250 blocks. */
export const BLOCK_CACHE_BYTES: number = 16 * 1024 * 1024;

/**
 * The bodies at these places, in their order, each a copy of the stored bytes. One query for all blocks that are not in
 * the cache. Throws RangeError when a block is missing or shorter than its bodies: the store is damaged.
 */
export async function readBodies(db: Queryable, cache: BlockCache, places: readonly BodyPlace[]): Promise<Buffer[]> {
  const bodies: Buffer[] = [];
  const wanted = new Map<bigint, number[]>();
  for (const [index, place] of places.entries()) {
    const cached = cache.get(place.block);
    const waiting = wanted.get(place.block);
    if (cached !== undefined) bodies[index] = slice(cached, place);
    else if (waiting !== undefined) waiting.push(index);
    else wanted.set(place.block, [index]);
  }
  if (wanted.size === 0) return bodies;
  const found = await db.query<{ id: string; raw_length: number; bytes: Buffer }>({
    name: "read-blocks",
    text: "select id::text as id, raw_length, bytes from body_block where id = any($1::bigint[])",
    values: [[...wanted.keys()]],
  });
  let opened = 0;
  for (const row of found.rows) {
    if (row.raw_length >= LARGE_BYTES || opened >= MANY_BYTES) {
      await ownTurn();
      opened = 0;
    }
    opened += row.raw_length;
    const id = BigInt(row.id);
    const block = openBlock(row.bytes, row.raw_length);
    release(row.bytes);
    for (const index of wanted.get(id) ?? []) bodies[index] = slice(block, places[index]);
    if (!cache.add(id, block)) release(block);
    wanted.delete(id);
  }
  for (const id of wanted.keys()) throw new RangeError(`block ${id} is missing`);
  return bodies;
}

/**
 * In one piece of memory: made of several, a block costs twice its size, and it is the memory beside V8's heap that makes it
 * collect garbage when many blocks are opened. One byte more, or zlib asks for a further piece to find the end in. A small block
 * is copied out of the 8 KB that Node.js shares among small buffers: in the cache, 16 MB of blocks of 1 KB would keep 100 MB.
 */
function openBlock(bytes: Buffer, rawLength: number): Buffer {
  const options = { maxOutputLength: Math.max(rawLength, 1), chunkSize: Math.max(rawLength + 1, 64) };
  const opened = inflateRawSync(bytes, options);
  if (opened.buffer.byteLength <= opened.length + 1) return opened;
  const own = Buffer.allocUnsafeSlow(opened.length);
  opened.copy(own);
  return own;
}

/**
 * Gives memory back that nothing looks at any more. V8 would find out by itself, but only by collecting the whole heap, which it
 * does after some 30 MB of such memory, the blocks of a few dozen searches, and which takes 25 ms. Node.js 20 leaves it to V8.
 * Afterwards the buffer is empty.
 */
export function release({ buffer, length }: Buffer): void {
  const memory: { readonly byteLength: number; transfer?: (newLength: number) => ArrayBuffer } = buffer;
  // Small pieces lie in a memory that they share with others.
  if (memory.byteLength <= length + 1) memory.transfer?.(0);
}

/** A copy: a view would keep the whole block alive as long as the body. */
function slice(block: Buffer, place: BodyPlace | undefined): Buffer {
  if (place === undefined || place.offset + place.length > block.length) throw new RangeError("a block is too short");
  return Buffer.from(block.subarray(place.offset, place.offset + place.length));
}

import type { ClientBase } from "pg";
import type { BodyPlace } from "../../store/resources/body-blocks.ts";
import { keyArray } from "../../store/resources/heads.ts";

/** Where a line is in its input. */
export interface LinePlace {
  unit: bigint;
  byteOffset: number;
  /** Ordinal within the unit, from 1. */
  line: number;
  length: number;
}

/** A line that was written, and where its body went. */
export interface PlacedLine {
  byteOffset: number;
  line: number;
  length: number;
  body: Pick<BodyPlace, "block" | "offset">;
}

/** The places of a batch's written lines, packed: some ten bytes a line. */
export interface PackedPlaces {
  firstBlock: bigint;
  lastBlock: bigint;
  bytes: Buffer;
}

const MOST_BYTES_PER_LINE = 5 * 8;

/** Packs the places of lines in file order: differences to the line before, seven bits a byte. */
export function packPlaces(lines: readonly PlacedLine[]): PackedPlaces | undefined {
  const first = lines[0];
  const last = lines.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const bytes = Buffer.allocUnsafe(lines.length * MOST_BYTES_PER_LINE);
  let at = 0;
  const put = (value: number): void => {
    for (; value >= 128; value = Math.floor(value / 128)) bytes[at++] = 128 + (value % 128);
    bytes[at++] = value;
  };
  let before: PlacedLine = { byteOffset: 0, line: 0, length: 0, body: { block: first.body.block, offset: 0 } };
  for (const line of lines) {
    put(Number(line.body.block - before.body.block));
    put(line.body.offset);
    put(line.byteOffset - before.byteOffset);
    put(line.line - before.line);
    put(line.length);
    before = line;
  }
  return { firstBlock: first.body.block, lastBlock: last.body.block, bytes: bytes.subarray(0, at) };
}

/** The lines of {@link packPlaces}. */
export function unpackPlaces(packed: Omit<PackedPlaces, "lastBlock">): PlacedLine[] {
  const { bytes } = packed;
  let at = 0;
  const take = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  const lines: PlacedLine[] = [];
  let block = packed.firstBlock;
  let byteOffset = 0;
  let line = 0;
  while (at < bytes.length) {
    block += BigInt(take());
    const offset = take();
    byteOffset += take();
    line += take();
    lines.push({ byteOffset, line, length: take(), body: { block, offset } });
  }
  return lines;
}

/** Stores a batch's places in its transaction. */
export async function writePlaces(
  client: ClientBase,
  job: bigint,
  unit: bigint,
  packed: PackedPlaces | undefined,
): Promise<void> {
  if (packed === undefined) return;
  await client.query({
    name: "write-places",
    text: "insert into import_line_position (job, first_block, last_block, unit, positions) values ($1, $2, $3, $4, $5)",
    values: [job, packed.firstBlock, packed.lastBlock, unit, packed.bytes],
  });
}

/** Where the lines with these bodies are, in the order asked; undefined for those that no batch of the import placed. */
export async function findPlaces(
  client: ClientBase,
  job: bigint,
  bodies: readonly Pick<BodyPlace, "block" | "offset">[],
): Promise<(LinePlace | undefined)[]> {
  if (bodies.length === 0) return [];
  const wanted = new Map<string, LinePlace | undefined>(bodies.map((body) => [nameOf(body), undefined]));
  const { rows } = await client.query<{ unit: string; first: string; places: Buffer }>({
    name: "find-places",
    text: `select unit::text, first_block::text as first, positions as places from import_line_position
           where job = $1 and exists (select from unnest($2::bigint[]) block where block between first_block and last_block)`,
    values: [job, keyArray([...new Set(bodies.map((body) => body.block))])],
  });
  for (const { unit, first, places } of rows) {
    for (const placed of unpackPlaces({ firstBlock: BigInt(first), bytes: places })) {
      const name = nameOf(placed.body);
      if (!wanted.has(name)) continue;
      const { byteOffset, line, length } = placed;
      wanted.set(name, { unit: BigInt(unit), byteOffset, line, length });
    }
  }
  return bodies.map((body) => wanted.get(nameOf(body)));
}

function nameOf(body: Pick<BodyPlace, "block" | "offset">): string {
  return `${body.block}/${body.offset}`;
}

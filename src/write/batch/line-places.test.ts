import fc from "fast-check";
import { expect, it } from "vitest";
import { packPlaces, unpackPlaces, type PlacedLine } from "./line-places.ts";

const anySteps = fc.array(
  fc.record({
    blocks: fc.nat(3000),
    offset: fc.nat(65536),
    bytes: fc.oneof(fc.nat(100_000), fc.nat(2 ** 42)),
    lines: fc.nat(2 ** 31),
    length: fc.nat(2 ** 28),
  }),
  { minLength: 1, maxLength: 50 },
);

it("places of lines come back as they were packed", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 2n ** 60n }), anySteps, (firstBlock, steps) => {
      let block = firstBlock;
      let byteOffset = 0;
      let line = 0;
      const placed = steps.map(({ blocks, offset, bytes, lines, length }, index): PlacedLine => {
        if (index > 0) block += BigInt(blocks);
        byteOffset += bytes;
        line += lines;
        return { byteOffset, line, length, body: { block, offset } };
      });
      const packed = packPlaces(placed);
      expect(packed).toMatchObject({ firstBlock, lastBlock: block });
      if (packed !== undefined) expect(unpackPlaces(packed)).toEqual(placed);
    }),
  );
});

it("nothing is packed into nothing", () => {
  expect(packPlaces([])).toBeUndefined();
});

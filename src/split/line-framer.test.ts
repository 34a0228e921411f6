import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkpointBefore, frameLength, frameOffset, type LineBlock } from "./line-block.ts";
import { LineFramer, type FramedUnit } from "./line-framer.ts";
import { splitIntoUnits } from "./plan.ts";

/** A line as the reference below finds it: content, byte offset of its content, 1-based number in the file. */
interface Line {
  text: string;
  offset: number;
  line: number;
  /** Offset of the line itself, before a byte order mark. */
  start: number;
}

/** The plainest possible reading of the rules, for comparison. */
function referenceLines(file: Buffer): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (let number = 1; start < file.length; number++) {
    const lineEnd = file.indexOf(10, start);
    const next = lineEnd < 0 ? file.length : lineEnd + 1;
    let end = lineEnd < 0 ? file.length : lineEnd;
    const mark = start === 0 && file.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
    if (end > start + mark && file[end - 1] === 13) end--;
    const text = file.toString("latin1", start + mark, end);
    if (!/^[ \t\r]*$/.test(text)) lines.push({ text, offset: start + mark, line: number, start });
    start = next;
  }
  return lines;
}

interface Framed {
  lines: Line[];
  blocks: LineBlock[];
  /** Lines seen in the unit, blank ones included. */
  seen: number;
}

/** Frames one unit of `file`, fed in chunks whose lengths come from `sizes` in turn. */
function frame(file: Buffer, unit: FramedUnit, sizes: number[], maxLineBytes?: number): Framed {
  const framer = new LineFramer(unit, maxLineBytes);
  const result: Framed = { lines: [], blocks: [], seen: unit.linesBefore ?? 0 };
  const take = (block: LineBlock | undefined): void => {
    if (block === undefined) return;
    result.blocks.push(block);
    result.seen = block.nextLine - 1;
    for (let index = 0; index < block.count; index++) {
      const offset = frameOffset(block, index);
      const text = block.bytes.toString("latin1", block.starts[index], block.ends[index]);
      result.lines.push({ text, offset, line: block.lines[index] ?? 0, start: offset === 3 ? 0 : offset });
    }
  };
  let position = unit.start;
  for (let turn = 0; !framer.done && position < file.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    // a copy of its own, so that bytes beyond the chunk can not be seen
    take(framer.push(Buffer.from(file.subarray(position, position + size))));
    position += size;
  }
  if (!framer.done) take(framer.finish());
  expect(framer.done).toBe(true);
  return result;
}

/** Frames every unit of `file`, one after the other; line numbers are those of the file. */
function frameFile(file: Buffer, unitSize: number, sizes: number[], maxLineBytes?: number): Line[] {
  const lines: Line[] = [];
  let before = 0;
  for (const unit of splitIntoUnits(file.length, unitSize)) {
    const framed = frame(file, { ...unit, fileLength: file.length }, sizes, maxLineBytes);
    lines.push(...framed.lines.map((line) => ({ ...line, line: line.line + before })));
    before += framed.seen;
  }
  return lines;
}

function stripped(lines: Line[]): { text: string; offset: number; line: number }[] {
  return lines.map(({ text, offset, line }) => ({ text, offset, line }));
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

const fileArbitrary = fc
  .record({
    mark: fc.boolean(),
    lines: fc.array(
      fc.record({
        content: fc.oneof(
          fc.string({ maxLength: 12, unit: "grapheme" }),
          fc.string({ minLength: 30, maxLength: 90 }),
          fc.constantFrom("", " ", "\t \t", "\r", "é€😀", "{}"),
        ),
        end: fc.constantFrom("\n", "\r\n"),
      }),
      { maxLength: 14 },
    ),
    last: fc.boolean(),
  })
  .map(({ mark, lines, last }) => {
    let text = lines.map(({ content, end }) => content.replaceAll("\n", "·") + end).join("");
    if (last) text += "no line end é";
    const bytes = Buffer.from(text);
    return mark ? Buffer.concat([BOM, bytes]) : bytes;
  });
const sizesArbitrary = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

describe("LineFramer: every line exactly once (contract 4.2)", () => {
  it("whatever the unit size and the chunks", () => {
    fc.assert(
      fc.property(fileArbitrary, fc.integer({ min: 1, max: 120 }), sizesArbitrary, (file, unitSize, sizes) => {
        expect(stripped(frameFile(file, unitSize, sizes))).toEqual(stripped(referenceLines(file)));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each(["\n", "\r\n", "mixed"])("for every unit size from 1 to 99, line ends %j", (kind) => {
    const contents = ["{}", "é€😀", "", "   ", "x".repeat(70), "a", "\t", "b".repeat(9), "c"];
    const text = contents.map((c, i) => c + (kind === "mixed" ? ["\n", "\r\n"][i % 2] : kind)).join("");
    for (const file of [text, `${text}end`, `\uFEFF${text}`].map((each) => Buffer.from(each))) {
      const expected = stripped(referenceLines(file));
      for (let unitSize = 1; unitSize <= 99; unitSize++) {
        for (const sizes of [[1], [7, 3], [1_000]]) {
          expect(stripped(frameFile(file, unitSize, sizes))).toEqual(expected);
        }
      }
    }
  });

  it("goes on from a checkpoint before any line, and repeats and loses nothing", () => {
    fc.assert(
      fc.property(fileArbitrary, fc.integer({ min: 1, max: 120 }), sizesArbitrary, (file, unitSize, sizes) => {
        for (const unit of splitIntoUnits(file.length, unitSize)) {
          const whole = { ...unit, fileLength: file.length };
          const { lines, blocks, seen } = frame(file, whole, sizes);
          let done = 0;
          for (const block of blocks) {
            for (let index = 0; index <= block.count; index++) {
              const { position, lines: linesBefore } = checkpointBefore(block, index);
              const rest = frame(file, { ...whole, start: position, resumed: true, linesBefore }, sizes);
              expect(rest.lines).toEqual(lines.slice(done + index));
              expect(rest.seen).toBe(seen);
            }
            done += block.count;
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("gives the same frames with a maximum length, and drops exactly the lines above it", () => {
    fc.assert(
      fc.property(
        fileArbitrary,
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 60 }),
        sizesArbitrary,
        (file, unitSize, maximum, sizes) => {
          const expected = referenceLines(file).map(({ text, offset, line, start }) =>
            text.length > maximum ? { text: "", offset: start, line } : { text, offset, line },
          );
          expect(stripped(frameFile(file, unitSize, sizes, maximum))).toEqual(expected);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("a blank line above the maximum is blank also behind a byte order mark", () => {
    const file = Buffer.from([0xef, 0xbb, 0xbf, 9, 32, 9, 10]);
    for (const sizes of [[6, 1], [2, 5], [3, 4], [7], [1]]) {
      expect(stripped(frameFile(file, 1, sizes, 1))).toEqual([]);
    }
  });
});

function whole(text: string): Framed {
  const file = Buffer.from(text, "utf8");
  return frame(file, { start: 0, end: file.length, fileLength: file.length }, [file.length]);
}

describe("LineFramer: framing rows", () => {
  it.each([
    ["C-001 one line", "{}\n", ["{}"]],
    ["C-002 no final line end", '{"a":1}', ['{"a":1}']],
    ["C-003 CRLF", "a\r\nb\r\n", ["a", "b"]],
    ["C-006 byte order mark", "\uFEFFa\nb", ["a", "b"]],
    ["C-006 a mark on a later line is content", "a\n\uFEFFb", ["a", "\u00ef\u00bb\u00bfb"]],
    ["C-018 lone CR is no line end", "a\rb\r", ["a\rb"]],
    ["C-024 empty file", "", []],
    ["D-08 spaces and tabs", "   \n\t\n \t \r\n", []],
    ["a byte order mark alone", "\uFEFF", []],
    ["NUL is content", "\0\n", ["\0"]],
  ])("%s", (_name, text, expected) => {
    expect(whole(text).lines.map((line) => line.text)).toEqual(expected);
  });

  it("D-06 counts blank lines: the bad line of C-004 is line 3", () => {
    expect(stripped(whole("good\n\noops\n").lines)).toEqual([
      { text: "good", offset: 0, line: 1 },
      { text: "oops", offset: 6, line: 3 },
    ]);
  });

  it("hands out blank lines as a block without frames, so that the checkpoint moves over them", () => {
    const { blocks } = whole("\n\n");
    expect(blocks).toHaveLength(1);
    expect(blocks[0]).toMatchObject({ count: 0, firstLine: 1, nextLine: 3, nextOffset: 2 });
  });

  it("C-020 a line longer than several units belongs to the unit it starts in, the others are empty", () => {
    const file = Buffer.from(`a\n${"x".repeat(50)}\nb\n`);
    const perUnit = [...splitIntoUnits(file.length, 10)].map(
      (unit) => frame(file, { ...unit, fileLength: file.length }, [8]).lines.length,
    );
    expect(perUnit).toEqual([2, 0, 0, 0, 0, 1]);
  });

  it("R-030 66 characters and a line end in units of 10 bytes: seven units, the first one has the line", () => {
    const file = Buffer.from(`${"p".repeat(66)}\n`);
    const perUnit = [...splitIntoUnits(file.length, 10)].map(
      (unit) => frame(file, { ...unit, fileLength: file.length }, [64]).lines.length,
    );
    expect(perUnit).toEqual([1, 0, 0, 0, 0, 0, 0]);
  });

  it("needs no byte beyond the end of its last line", () => {
    const framer = new LineFramer({ start: 0, end: 3, fileLength: 1_000 });
    expect(framer.push(Buffer.from("ab\ncd"))?.count).toBe(1);
    expect(framer.done).toBe(false);
    expect(framer.push(Buffer.from("e\nnext"))?.count).toBe(1);
    expect(framer.done).toBe(true);
    expect(framer.push(Buffer.from("more\n"))).toBeUndefined();
  });

  it("is done at once where no line can be its own", () => {
    expect(new LineFramer({ start: 0, end: 0, fileLength: 0 }).done).toBe(true);
    expect(new LineFramer({ start: 12, end: 10, fileLength: 20, resumed: true }).done).toBe(true);
    const inside = new LineFramer({ start: 10, end: 20, fileLength: 100 });
    inside.push(Buffer.from("x".repeat(10)));
    expect(inside.done).toBe(true);
  });

  it("refuses to end where bytes are missing", () => {
    const framer = new LineFramer({ start: 0, end: 10, fileLength: 10 });
    framer.push(Buffer.from("abc"));
    expect(() => framer.finish()).toThrow("input ended at byte 3 of 10");
  });

  it("tells a dropped line's true length, offset and number", () => {
    const file = Buffer.from(`\n${"x".repeat(500)}\r\nok\n`);
    const { blocks } = frame(file, { start: 0, end: file.length, fileLength: file.length }, [16], 100);
    const block = blocks.find((each) => each.tooLong !== undefined);
    if (block === undefined) throw new Error("no block with a dropped line");
    expect(block.tooLong?.get(0)).toEqual({ offset: 1, length: 500 });
    expect(frameLength(block, 0)).toBe(500);
    expect(block.lines[0]).toBe(2);
    expect(block.bytes.length).toBeLessThan(20);
  });

  it("grows in proportion to a long line that comes in small chunks", () => {
    const length = 32 * 1024 * 1024;
    const framer = new LineFramer({ start: 0, end: length + 1, fileLength: length + 1 });
    const chunk = Buffer.alloc(16 * 1024, 120);
    for (let sent = 0; sent < length; sent += chunk.length) expect(framer.push(chunk)).toBeUndefined();
    const block = framer.push(Buffer.from("\n"));
    expect(block?.ends[0]).toBe(length);
    expect(framer.done).toBe(true);
  });
});

import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readLineBlocks } from "../src/import/work/unit-lines.ts";
import { createSources } from "../src/source/sources.ts";
import { LineFramer } from "../src/split/line-framer.ts";

/**
 * How fast bytes become lines. `node bench/split.ts [MEGABYTES]`: the framer alone, on chunks as a file and as a network
 * give them, for several line lengths; then file, framer and glue together. Best of three.
 */
const megabytes = Number(process.argv[2] ?? 256);
const size = megabytes * 1_000_000;

/** Lines of `length` bytes with their line end. */
function content(length: number, bytes: number): Buffer {
  return Buffer.alloc(Math.floor(bytes / length) * length, `{"text":"${"x".repeat(Math.max(0, length - 12))}"}\n`);
}

async function best(act: () => number | Promise<number>): Promise<{ seconds: number; lines: number }> {
  let seconds = Infinity;
  let lines = 0;
  for (let round = 0; round < 3; round++) {
    const start = process.hrtime.bigint();
    lines = await act();
    seconds = Math.min(seconds, Number(process.hrtime.bigint() - start) / 1e9);
  }
  return { seconds, lines };
}

function report(name: string, bytes: number, { seconds, lines }: { seconds: number; lines: number }): void {
  const rate = `${(bytes / seconds / 1e6).toFixed(0)} MB/s`;
  console.log(
    `${name.padEnd(52)} ${rate.padStart(12)} ${`${(lines / seconds / 1e6).toFixed(2)} M lines/s`.padStart(18)}`,
  );
}

for (const lineLength of [120, 1_400, 20_000]) {
  const bytes = content(lineLength, size);
  for (const chunkSize of [64 * 1024, 512 * 1024]) {
    const result = await best(() => {
      const framer = new LineFramer({ start: 0, end: bytes.length, fileLength: bytes.length });
      let lines = 0;
      for (let at = 0; at < bytes.length; at += chunkSize) {
        lines += framer.push(bytes.subarray(at, at + chunkSize))?.count ?? 0;
      }
      return lines + (framer.finish()?.count ?? 0);
    });
    report(`framer, ${lineLength} byte lines, ${chunkSize / 1024} KB chunks`, bytes.length, result);
  }
}

const folder = await mkdtemp(join(tmpdir(), "stoker-bench-split-"));
try {
  const path = join(folder, "input.ndjson");
  const file = await open(path, "w");
  const piece = content(1_400, 8_000_000);
  let length = 0;
  for (; length < size; length += piece.length) await file.write(piece);
  await file.close();
  const source = createSources({ fileRoot: folder }).sourceFor("file:///");
  const url = pathToFileURL(path).href;
  const { etag } = await source.stat(url);
  const result = await best(async () => {
    let lines = 0;
    for await (const block of readLineBlocks(source, url, { start: 0, end: length, fileLength: length }, etag)) {
      lines += block.count;
    }
    return lines;
  });
  report("file, framer and glue, 1400 byte lines", length, result);
} finally {
  await rm(folder, { recursive: true, force: true });
}

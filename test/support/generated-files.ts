import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { generateFiles } from "../../src/generate/generate.ts";

/** Generated sample data with faults sown into it. */
export interface FaultyFiles {
  readonly paths: readonly string[];
  readonly bytes: number;
  /** Lines that are to be loaded, and lines that are to be rejected: no JSON, or the line before once more. */
  readonly good: number;
  readonly bad: number;
}

/** Every so many lines, one that is no JSON, and one that repeats the line before. */
const BROKEN_EVERY = 499;
const REPEATED_EVERY = 701;

/** Writes the data of so many patients into `folder`, about 0.22 MB each. */
export async function writeFaultyFiles(folder: string, patients: number): Promise<FaultyFiles> {
  const plain = join(folder, "plain");
  const generated = await generateFiles({
    patients,
    seed: 7,
    conditionalReferences: false,
    folder: plain,
    overwrite: true,
  });
  const paths: string[] = [];
  let good = 0;
  let bad = 0;
  let bytes = 0;
  for (const { type, path } of generated) {
    const target = join(folder, `${type}.ndjson`);
    const out = createWriteStream(target);
    for await (const line of createInterface({ input: createReadStream(path) })) {
      good += 1;
      const more = good % BROKEN_EVERY === 0 ? "{ broken\n" : good % REPEATED_EVERY === 0 ? `${line}\n` : "";
      if (more !== "") bad += 1;
      if (!out.write(`${line}\n${more}`)) await once(out, "drain");
    }
    out.end();
    await finished(out);
    bytes += out.bytesWritten;
    paths.push(target);
  }
  await rm(plain, { recursive: true });
  return { paths, bytes, good, bad };
}

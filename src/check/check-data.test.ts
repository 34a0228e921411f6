import { createReadStream, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { describe, expect, it } from "vitest";
import { checkLine } from "./check-line.ts";

/** A folder of Synthea's R4 output, one NDJSON file per type, plain or gzipped. */
const FOLDER =
  process.env["STOKER_TEST_DATA"] ?? join(import.meta.dirname, "..", "..", "..", "shared", "data", "synthea-r4-615");
const FILES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /\.ndjson(\.gz)?$/.test(name)) : [];

describe.skipIf(FILES.length === 0)("real data (skipped without STOKER_TEST_DATA)", () => {
  it.each(FILES)("every line of %s passes", async (name) => {
    const file = createReadStream(join(FOLDER, name));
    const lines = createInterface({ input: name.endsWith(".gz") ? file.pipe(createGunzip()) : file });
    const rules = { mode: "IncrementalLoad", declaredType: undefined, now: Date.now() } as const;
    const refused: string[] = [];
    let count = 0;
    for await (const line of lines) {
      count++;
      const result = checkLine(line, rules);
      if (result.kind === "issue" && refused.length < 5) refused.push(`line ${count}: ${result.text}`);
    }
    expect(refused).toEqual([]);
    expect(count).toBeGreaterThan(0);
  });
});

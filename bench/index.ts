// Rate of index extraction alone: `node bench/index.ts <folder of .ndjson files>`.
// Lines are parsed in portions outside the measured time; the sink counts and keeps nothing.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../src/base/json.ts";
import { resourceTypeId } from "../src/fhir/resource-types.ts";
import type { SearchValueSink } from "../src/fhir/search-value.ts";
import { createIndexer } from "../src/index/indexer.ts";

const folder = process.argv[2] ?? "data";
const counts = { equality: 0, date: 0, quantity: 0, string: 0, term: 0, mix: 0 };
const sink: SearchValueSink = {
  equality: (high, low) => {
    counts.equality++;
    counts.mix ^= high + low;
  },
  date: () => void counts.date++,
  quantity: () => void counts.quantity++,
  string: () => void counts.string++,
  term: () => void counts.term++,
  qualify: () => undefined,
};

const started = performance.now();
const indexer = createIndexer();
console.log(`start: ${(performance.now() - started).toFixed(1)} ms`);
let resources = 0;
let milliseconds = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith(".ndjson"))) {
  const typeId = resourceTypeId(file.slice(0, -".ndjson".length)) ?? 0;
  const lines = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
  const before = { resources, milliseconds, ...counts };
  for (let from = 0; from < lines.length; from += 2000) {
    const parsed = lines.slice(from, from + 2000).map((line) => JSON.parse(line) as JsonObject);
    const begin = performance.now();
    for (const resource of parsed) indexer.index(typeId, resource, sink);
    milliseconds += performance.now() - begin;
    resources += parsed.length;
  }
  const number = resources - before.resources;
  const per = (key: "equality" | "date" | "quantity" | "string"): string =>
    `${((counts[key] - before[key]) / number).toFixed(1)} ${key}`;
  const rate = (number / (milliseconds - before.milliseconds)) * 1000;
  console.log(
    file.padEnd(28),
    `${Math.round(rate)}/s`.padStart(10),
    per("equality"),
    per("date"),
    per("quantity"),
    per("string"),
  );
}
console.log(`all: ${Math.round((resources / milliseconds) * 1000)} resources/s`, JSON.stringify(counts));

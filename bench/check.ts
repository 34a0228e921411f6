// Rate of the structural check on parsed resources: node bench/check.ts FILE.ndjson[.gz] …  (Node 24, types stripped)
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { JsonObject } from "../src/base/json.ts";
import { checkLine } from "../src/check/check-line.ts";
import { checkResource } from "../src/check/check-resource.ts";
import type { LineIssue } from "../src/check/issue.ts";

const LINES = 20_000;

for (const file of process.argv.slice(2)) {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  const lines = text.split("\n").filter(Boolean).slice(0, LINES);
  const resources = lines.map((line) => JSON.parse(line) as JsonObject);
  const issues: LineIssue[] = [];
  const check = rate(lines.length, (index) => checkResource(resources[index] ?? null, issues, 1));
  const parse = rate(lines.length, (index) => JSON.parse(lines[index] ?? ""));
  const rules = { mode: "IncrementalLoad", declaredType: undefined, now: Date.now() } as const;
  const line = rate(lines.length, (index) => checkLine(lines[index] ?? "", rules));
  const name = resources[0]?.["resourceType"] as string;
  console.log(`${name}: check ${check}/s, JSON.parse alone ${parse}/s, checkLine ${line}/s, ${issues.length} issues`);
}

/** Calls per second, the best of five rounds over all lines. */
function rate(count: number, call: (index: number) => unknown): string {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let index = 0; index < count; index++) call(index);
    best = Math.min(best, performance.now() - start);
  }
  return Math.round((count / best) * 1000).toLocaleString("en");
}

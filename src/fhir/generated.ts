import { readFileSync } from "node:fs";

/** Reads one of the tables that `tools/` generates; `src/` and `dist/` are equally deep, so one path serves both. */
export function readGenerated<Table>(file: string): Table {
  return JSON.parse(readFileSync(new URL(`../../generated/${file}`, import.meta.url), "utf8")) as Table;
}

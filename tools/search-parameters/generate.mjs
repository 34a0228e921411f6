// Search parameters: the table of definitions, and the trees from which the product makes its extractors.
import { parameterTable } from "./parameters.mjs";

/**
 * Returns the generated files by name.
 * @param {import("../definitions.mjs").Definitions} definitions
 */
export function generate(definitions) {
  const parameters = parameterTable(definitions.ofType("SearchParameter"));
  return new Map([["search-parameters.json", table(parameters)]]);
}

/** One row a line, so that a difference between two releases can be read. */
function table(rows) {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`;
}

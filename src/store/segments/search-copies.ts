import type { CopyStep } from "../../postgres/copy-together.ts";
import { SEARCH_COLUMNS, type SearchRows } from "../search/search-rows.ts";
import { partitionName } from "./segments.ts";

/** The search rows of the resources with a true flag, to be copied into the partitions of a segment. */
export function searchCopies(rows: SearchRows, segment: number, flags: readonly boolean[]): CopyStep[] {
  const ranges = rows.rangesOf(flags);
  const buffers = {
    search_resource: { buffer: rows.resources, ranges: ranges.resources },
    search_date: { buffer: rows.dates, ranges: ranges.dates },
    search_quantity: { buffer: rows.quantities, ranges: ranges.quantities },
    search_string: { buffer: rows.strings, ranges: ranges.strings },
  };
  return (Object.keys(SEARCH_COLUMNS) as (keyof typeof SEARCH_COLUMNS)[]).map((table) => ({
    table: partitionName(table, segment),
    columns: SEARCH_COLUMNS[table],
    ...buffers[table],
  }));
}

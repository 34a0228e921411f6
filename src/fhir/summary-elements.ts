import { readGenerated } from "./generated.ts";

/** Members of a resource's JSON, on the first level. */
export interface SummaryElements {
  /** Those that belong to its summary (`isSummary`). */
  summary: ReadonlySet<string>;
  /** Those that may not be left out: mandatory ones, and those that change the meaning of others. */
  mandatory: ReadonlySet<string>;
}

const ELEMENTS: ReadonlyMap<string, SummaryElements> = new Map(
  Object.entries(
    readGenerated<Record<string, { summary: string[]; mandatory: string[] }>>("summary-elements.json"),
  ).map(([type, { summary, mandatory }]) => [type, { summary: new Set(summary), mandatory: new Set(mandatory) }]),
);

/** The table's row of a resource type of R4; nothing for others. */
export function summaryElementsOf(type: string): SummaryElements {
  return ELEMENTS.get(type) ?? { summary: new Set(), mandatory: new Set() };
}

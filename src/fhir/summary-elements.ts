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

const NESTED: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(readGenerated<Record<string, string[]>>("summary-nested.json")).map(([owner, names]) => [
    owner,
    new Set(names),
  ]),
);

/** Members that no element has in a summary, whatever its type. */
const NEVER: ReadonlySet<string> = new Set(["id", "extension"]);

/** Members of a data type, or of an inner element (`Observation.component`), that do not belong to a summary. */
export function notInSummary(owner: string): (name: string) => boolean {
  const names = NESTED.get(owner);
  return (name) => NEVER.has(name) || names?.has(name) === true;
}

/** Whether elements of this type may have other members than `id` and `extension` that do not belong to a summary. */
export function hasNestedRow(owner: string): boolean {
  return NESTED.has(owner);
}

import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import type { ReportRow } from "./report.ts";

/** Counts of one input file. */
export interface InputCounts {
  /** The declared type. */
  readonly type: string | null;
  readonly url: string;
  readonly loaded: number;
  readonly rejected: number;
}

const TYPES: ReadonlySet<string> = new Set(RESOURCE_TYPES);

/** One row per type, in the order of the files; files whose name tells no type have rows of their own. */
export function reportRows(inputs: readonly InputCounts[]): ReportRow[] {
  const rows = new Map<string, ReportRow>();
  for (const { type, url, loaded, rejected } of inputs) {
    const label = type ?? typeOfName(fileName(url)) ?? fileName(url);
    const before = rows.get(label) ?? { label, loaded: 0, rejected: 0 };
    rows.set(label, { label, loaded: before.loaded + loaded, rejected: before.rejected + rejected });
  }
  return [...rows.values()];
}

/** The last part of a URL's path, decoded. */
export function fileName(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  const name = path.slice(path.lastIndexOf("/") + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The resource type that names like `Patient.ndjson`, `Patient-001.ndjson` and `1.Patient.ndjson` begin with. */
function typeOfName(name: string): string | undefined {
  return name.split(/[^A-Za-z]+/).find((word) => TYPES.has(word));
}

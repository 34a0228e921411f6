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

/** One row per type, as a server counts them; rejected lines whose type is not known have a row of their own. */
export function typeRows(
  types: readonly ({ readonly type: string | null } & Readonly<
    Record<"created" | "updated" | "unchanged" | "rejected", number>
  >)[],
): ReportRow[] {
  return types.map(({ type, created, updated, unchanged, rejected }) => ({
    label: type ?? "(type unknown)",
    loaded: created + updated + unchanged,
    rejected,
  }));
}

/** One row per type, in the order of the files; files whose name tells no type have rows of their own. */
export function reportRows(inputs: readonly InputCounts[]): ReportRow[] {
  const rows = new Map<string, ReportRow>();
  const names = inputNames(inputs.map(({ url }) => url));
  for (const { type, url, loaded, rejected } of inputs) {
    const label = type ?? typeOfName(fileName(url)) ?? names.get(url) ?? fileName(url);
    const before = rows.get(label) ?? { label, loaded: 0, rejected: 0 };
    rows.set(label, { label, loaded: before.loaded + loaded, rejected: before.rejected + rejected });
  }
  return [...rows.values()];
}

/** What to call each input: the name of its file, and as much of the path before it as tells files of one name apart. */
export function inputNames(urls: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const same of groupByName(urls).values()) {
    const paths = same.map((url) => url.split("/"));
    const [first = []] = paths;
    let common = 0;
    if (same.length > 1) while (paths.every((path) => path[common] === first[common])) common++;
    for (const [index, url] of same.entries()) {
      const folders = same.length > 1 ? (paths[index] ?? []).slice(common, -1).map(decoded) : [];
      names.set(url, [...folders, fileName(url)].join("/"));
    }
  }
  return names;
}

function groupByName(urls: readonly string[]): ReadonlyMap<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const url of new Set(urls)) {
    const name = fileName(url);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [url]);
    else group.push(url);
  }
  return groups;
}

/** The last part of a URL's path, decoded. */
export function fileName(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return decoded(path.slice(path.lastIndexOf("/") + 1));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The resource type that names like `Patient.ndjson`, `Patient-001.ndjson` and `1.Patient.ndjson` begin with. */
function typeOfName(name: string): string | undefined {
  return name.split(/[^A-Za-z]+/).find((word) => TYPES.has(word));
}

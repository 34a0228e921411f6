import { StokerError } from "../../base/errors.ts";
import { isCustom, type SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { storedParameters, type StoredParameter } from "../../fhir/derived-parameters.ts";
import type { TreeNode } from "../../fhir/extraction-tree.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import type { OrderedTable } from "../condition/condition.ts";

/** One key of an order: what is compared, and in which direction. Resources without a value come last in both. */
export type SortKey = { descending: boolean } & (
  | { by: "_id" }
  | { by: "_lastUpdated" }
  /** By the rows of these parameters in an ordered table: the least of them, or the greatest when descending. */
  | { by: "value"; table: OrderedTable; parameters: readonly number[] }
  /** By texts of a token or reference parameter, of which the store keeps no order; what is stored for each type. */
  | {
      by: "text";
      code: string;
      parameters: ReadonlyMap<string, readonly StoredParameter[]>;
      /** Where the elements of parameters that are not R4's are. */
      trees: ReadonlyMap<string, readonly TreeNode[]>;
    }
);

/**
 * The keys of a `_sort`: names, with `-` before those that are descending, joined by commas. Throws `bad-request` for names
 * that mean nothing for the searched types, `not-supported` for parameters whose values have no order: composites, and
 * those that are of one type for some resources and of another for others.
 */
export function parseSort(
  text: string | undefined,
  types: readonly string[] | undefined,
  lookup: SearchParameterLookup,
): readonly SortKey[] {
  if (text === undefined) return [];
  const names = text.split(",").filter((name) => name !== "");
  if (names.length > MAX_KEYS) throw refused("bad-request", `at most ${MAX_KEYS} parameters can be sorted by`);
  const seen = new Set<string>();
  return names.map((name) => {
    const descending = name.startsWith("-");
    const code = descending ? name.slice(1) : name;
    if (seen.has(code)) throw refused("bad-request", `'${code.slice(0, 64)}' occurs twice`);
    seen.add(code);
    if (code === "_id" || code === "_lastUpdated") return { by: code, descending };
    return byValues(code, types ?? RESOURCE_TYPES, descending, lookup);
  });
}

/** The one way of sorting that the store has an index for, `_lastUpdated` alone; undefined for any other. */
export function timeOrder(keys: readonly SortKey[]): "_lastUpdated" | "-_lastUpdated" | undefined {
  const [key] = keys;
  if (keys.length !== 1 || key?.by !== "_lastUpdated") return undefined;
  return key.descending ? "-_lastUpdated" : "_lastUpdated";
}

const MAX_KEYS = 8;

const TABLES: { readonly [type: string]: OrderedTable } = {
  date: "search_date",
  number: "search_quantity",
  quantity: "search_quantity",
  string: "search_string",
  uri: "search_string",
};

const TEXTS: ReadonlySet<string> = new Set(["token", "reference"]);

/** Strings by their definition, of which no values are stored: they are looked for in the resources. */
const WORDS: ReadonlySet<string> = new Set(["_text", "_content"]);

function byValues(code: string, types: readonly string[], descending: boolean, lookup: SearchParameterLookup): SortKey {
  const definitions = new Map<SearchParameter, string[]>();
  for (const type of types) {
    const parameter = lookup.find(type, code);
    if (parameter === undefined) {
      throw refused("bad-request", `'${code.slice(0, 64)}' is not a search parameter of the searched types`);
    }
    definitions.set(parameter, [...(definitions.get(parameter) ?? []), type]);
  }
  const kinds = [...definitions.keys()].map(({ type }) => type);
  if (kinds.every((kind) => TEXTS.has(kind))) {
    const parameters = [...definitions].flatMap(([parameter, members]) =>
      members.map((type) => [type, storedParameters(parameter, [type])] as const),
    );
    const trees = [...definitions].flatMap(([parameter, members]) =>
      isCustom(parameter) ? members.map((type) => [type, parameter.trees[type] ?? []] as const) : [],
    );
    return { by: "text", descending, code, parameters: new Map(parameters), trees: new Map(trees) };
  }
  const tables = new Set(kinds.map((kind) => TABLES[kind]));
  const [table] = tables;
  if (WORDS.has(code)) throw refused("not-supported", `'${code}' has no order`);
  if (tables.size !== 1 || table === undefined) {
    const text = `'${code}' has no order: parameters of type date, number, quantity, string, uri, token and reference have one`;
    throw refused("not-supported", text);
  }
  const ids = [...definitions].flatMap(([parameter, members]) =>
    storedParameters(parameter, members).map(({ parameter: id }) => id),
  );
  return { by: "value", descending, table, parameters: [...new Set(ids)] };
}

function refused(code: "bad-request" | "not-supported", why: string): StokerError {
  return new StokerError(code, `_sort: ${why}.`, { expression: "_sort" });
}

import { StokerError } from "../base/errors.ts";
import { compartmentOf } from "../fhir/compartments.ts";
import { lookupOf, R4_SEARCH_PARAMETERS, type SearchParameterLookup } from "../fhir/custom-search-parameters.ts";
import { keyRangeOfType, resourceKeyOf } from "../fhir/resource-key.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { searchParameter } from "../fhir/search-parameters.ts";
import type { Queryable } from "../postgres/pool.ts";
import { readDefinitions } from "../store/search/search-parameters.ts";
import { type Condition } from "./condition/condition.ts";
import { linkRows } from "./condition/condition-sql.ts";
import { conditionSql } from "./condition/condition-sql.ts";
import { allOf } from "./condition/combine.ts";
import { oneOf } from "./condition/combine.ts";
import { refersToStored } from "./compile/any-compartment.ts";
import type { CriteriaGroup } from "./criteria/criteria.ts";
import { gatheringSql } from "./cost/planner.ts";
import { searchCondition } from "./compile/plan.ts";
import { withOwnUrls } from "./resolve/own-urls.ts";
import { linksOfSource, type Include } from "./parse/include.ts";
import { parseQuery } from "./parse/query.ts";
import { referenceLinks, type ReferenceLink } from "./condition/reference-link.ts";
import { resolveCondition } from "./resolve/resolve.ts";
import { sql, type Sql } from "../postgres/sql.ts";
import { withSpellings } from "./resolve/terminology/spellings.ts";

/** Which resources of one type are wanted, however many there are: there are no pages. */
export interface TypeFilter {
  readonly type: string;
  /** Query strings of which one must find the resource; undefined: all do. */
  readonly queries?: readonly string[] | undefined;
  /**
   * Ids of the patients in whose compartments it must be, or all patients of the store; undefined: anywhere. Of a type that is
   * in no compartment, resources in these must refer to it.
   */
  readonly patients?: readonly string[] | "any" | undefined;
}

/** What the values of queries are understood by. */
export interface SelectionRules {
  readonly baseUrl: string;
  readonly dateEquality: "contain" | "overlap";
}

/**
 * The criteria of a query string for one type. Throws as `parseQuery` does for a strict request; also for parameters that
 * shape an answer instead of choosing resources (`_sort`, `_count`, `_include` …), as `bad-request`.
 */
export function parseSelectionQuery(
  type: string,
  query: string,
  { baseUrl, lookup = R4_SEARCH_PARAMETERS }: { baseUrl: string; lookup?: SearchParameterLookup },
): readonly CriteriaGroup[] {
  const parameters = [...new URLSearchParams(query)];
  const shaping = parameters.find(([name]) => SHAPING.test(name));
  if (shaping !== undefined) {
    throw new StokerError("bad-request", `'${shaping[0]}' does not select resources: leave it out of the filter.`);
  }
  return parseQuery({ type, parameters, strict: true, baseUrl, lookup }).groups;
}

/** Result parameters. */
const SHAPING = /^_(?:sort|count|total|summary|elements|include|revinclude|cursor|contained|score|format|pretty)\b/;

/**
 * The SQL that a row `r` of search_resource meets when it is wanted. What is asked of the database meanwhile is asked of
 * `db`: a connection with the snapshot that the SQL is meant for.
 */
export async function selectionSql(db: Queryable, selection: TypeFilter, rules: SelectionRules): Promise<Sql> {
  const { type, queries, patients } = selection;
  const { low, high } = keyRangeOfType(resourceTypeId(type) ?? 0);
  const conditions: Condition[] = [{ kind: "sql", test: sql`r.key between ${low} and ${high}` }];
  if (queries !== undefined) {
    const asked = { dateEquality: rules.dateEquality, now: Date.now(), baseUrl: rules.baseUrl };
    // As they are in the snapshot, like the rows.
    const lookup = lookupOf((await readDefinitions(db)).parameters);
    const parsed = queries.map((query) => parseSelectionQuery(type, query, { baseUrl: rules.baseUrl, lookup }));
    const found: Condition[] = [];
    for (const groups of parsed) found.push(searchCondition(await withSpellings(db, groups), asked));
    conditions.push(oneOf(found));
  }
  if (patients !== undefined) {
    const condition = patientTypes().includes(type) ? compartmentsCondition : referredCondition;
    conditions.push(await condition(db, type, patients, rules.baseUrl));
  }
  return await gatheringSql(db, await resolveCondition(db, allOf(conditions)));
}

/** Types whose resources can be in a patient's compartment, patients themselves included. */
export function patientTypes(): readonly string[] {
  return ["Patient", ...(compartmentOf("Patient")?.keys() ?? [])].filter((type, at, all) => all.indexOf(type) === at);
}

/**
 * Types of what patients' resources refer to, which are in no compartment, and may be asked for beside them: who treated the
 * patients, where, and with what.
 */
export const REFERRED_TYPES: readonly string[] = ["Location", "Medication", "Organization", "Practitioner"];

/** It is referred to by what is in the compartments: all of that is gathered once, and its references looked at. */
async function referredCondition(
  db: Queryable,
  type: string,
  patients: readonly string[] | "any",
  baseUrl: string,
): Promise<Condition> {
  const include: Include = {
    direction: "forward",
    source: undefined,
    parameter: undefined,
    targets: [type],
    iterate: false,
  };
  const links: ReferenceLink[] = [];
  const sources: Condition[] = [];
  const values: bigint[] = [];
  for (const source of patientTypes()) {
    const from = linksOfSource(source, [include]);
    if (from === undefined) continue;
    links.push(...from.links);
    const condition = await compartmentsCondition(db, source, patients, baseUrl);
    if (condition.kind === "holds") values.push(...condition.values);
    sources.push(allOf([{ kind: "within", low: from.low, high: from.high }, condition]));
  }
  const found = oneOf(sources);
  // One look at the index for all types; which values count for which type is tested on what that finds.
  const [keys, others] = [sources.filter(isOfKeys), sources.filter((each) => !isOfKeys(each))];
  const gathered = patients === "any" ? found : oneOf([...keys, allOf([{ kind: "holds", values }, oneOf(others)])]);
  const all = await withOwnUrls(db, links, baseUrl);
  return {
    kind: "sql",
    test: sql`r.key in (
      select u.value # l.constant
      from (select unnest(r.equality) as value from search_resource r where ${conditionSql(gathered)}) u, ${linkRows(all)}
      where (u.value # l.constant) between l.low and l.high)`,
  };
}

function isOfKeys(condition: Condition): boolean {
  return condition.kind === "and" && condition.conditions.some(({ kind }) => kind === "keys");
}

async function compartmentsCondition(
  db: Queryable,
  type: string,
  patients: readonly string[] | "any",
  baseUrl: string,
): Promise<Condition> {
  const range = keyRangeOfType(resourceTypeId("Patient") ?? 0);
  const isPatient: Condition = { kind: "sql", test: sql`r.key between ${range.low} and ${range.high}` };
  const keys = patients === "any" ? [] : patients.map((id) => resourceKeyOf("Patient", id));
  // A patient belongs to its own compartment; that another one links to it does not make that one belong to it, too.
  if (type === "Patient") return patients === "any" ? isPatient : { kind: "keys", keys };
  const written = (compartmentOf("Patient")?.get(type) ?? []).flatMap((code) => {
    const parameter = searchParameter(type, code);
    return parameter === undefined ? [] : referenceLinks(parameter, [type], ["Patient"]);
  });
  const links = await withOwnUrls(db, written, baseUrl);
  if (patients === "any") return { kind: "sql", test: refersToStored(links) };
  const values = links.flatMap(({ constant }) => keys.map((key) => key ^ constant));
  return { kind: "holds", values: [...new Set(values)] };
}

import { storedParameters } from "../../fhir/derived-parameters.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { EqualityForm, VERSIONED_TERMS } from "../../fhir/search-value.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { type Condition } from "../condition/condition.ts";
import { linkRows } from "../condition/condition-sql.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { oneOf } from "../condition/combine.ts";
import { equalityOf } from "../condition/equality.ts";
import { keyRanges, referenceLinks } from "../condition/reference-link.ts";
import type { CriteriaGroup, Criterion } from "../criteria/criteria.ts";
import { sql, statement, type Sql } from "../../postgres/sql.ts";

type Step = Extract<Criterion, { kind: "chain" | "has" }>;

/**
 * Warnings about references to a version of a resource that chains and `_has` have followed to its current version (R4 search,
 * 3.1.1.4.13). `keys` are those of the page's matches; where there are none, all resources of the searched types count, because the
 * version that is meant might have matched.
 */
export async function versionWarnings(
  db: Queryable,
  groups: readonly CriteriaGroup[],
  keys: readonly bigint[],
): Promise<string[]> {
  const parameters = new Set(stepsIn(groups).flatMap(({ step, types }) => idsOf(step, types)));
  if (parameters.size === 0) return [];
  const { rows } = await db.query<{ folded: string }>(
    statement(sql`select s.folded from search_dictionary s where s.parameter = ${VERSIONED_TERMS}
      and s.folded = any(${[...parameters].map(String)}::text[])`),
  );
  if (rows.length === 0) return [];
  const versioned = new Set(rows.map(({ folded }) => Number(folded)));
  const names = new Set<string>();
  await walk(db, groups, keys.length === 0 ? undefined : sql`r.key = any(${keys}::bigint[])`, versioned, names);
  return [...names].map(
    (name) =>
      `Search parameter '${name}': references to a specific version were followed to the current version of the resource, because only that can be searched.`,
  );
}

/** The names of parameters by which some of the resources refer to versions, and those further on. */
async function walk(
  db: Queryable,
  groups: readonly CriteriaGroup[],
  from: Sql | undefined,
  versioned: ReadonlySet<number>,
  names: Set<string>,
): Promise<void> {
  for (const { step, types } of stepsAt(groups)) {
    const rows = from ?? conditionSql(ofTypes(types));
    const next = step.kind === "chain" ? targetsOf(step, types, rows) : sourcesOf(step, types, rows);
    const sources = step.kind === "chain" ? rows : next;
    const marked = idsOf(step, types).filter((id) => versioned.has(id));
    if (marked.length > 0 && (await hasMarker(db, sources, marked))) names.add(step.parameter.code);
    if (stepsAt(step.groups).length > 0) await walk(db, step.groups, next, versioned, names);
  }
}

async function hasMarker(db: Queryable, rows: Sql, parameters: readonly number[]): Promise<boolean> {
  const markers = parameters.map((id) => equalityOf(id, EqualityForm.versionedReference, ""));
  const { rows: found } = await db.query<{ any: boolean }>(
    statement(sql`select exists (select from search_resource r
      where r.equality && ${markers}::bigint[] and ${rows}) as any`),
  );
  return found[0]?.any === true;
}

/** What rows refer to, as a condition on rows. */
function targetsOf({ parameter, groups }: Step, types: readonly string[], rows: Sql): Sql {
  const links = referenceLinks(parameter, types, typesOf(groups));
  return sql`r.key in (select u.value # l.constant from search_resource r, unnest(r.equality) u (value), ${linkRows(links)}
    where ${rows} and (u.value # l.constant) between l.low and l.high)`;
}

/** What refers to rows. */
function sourcesOf(step: Step, types: readonly string[], rows: Sql): Sql {
  const sourceTypes = step.kind === "has" ? [step.type] : types;
  const links = referenceLinks(step.parameter, sourceTypes, types);
  return sql`${conditionSql(ofTypes(sourceTypes))} and exists (
    select from unnest(r.equality) u (value), ${linkRows(links)}, lateral (
      select from search_resource r where r.key = (u.value # l.constant) and ${rows}) t
    where (u.value # l.constant) between l.low and l.high)`;
}

function ofTypes(types: readonly string[]): Condition {
  return oneOf(keyRanges(types).map(({ low, high }) => ({ kind: "within", low, high })));
}

function typesOf(groups: readonly CriteriaGroup[]): readonly string[] {
  return groups.some(({ types }) => types === undefined) ? RESOURCE_TYPES : groups.flatMap(({ types }) => types ?? []);
}

/** The parameters that a step's references are stored under. */
function idsOf(step: Step, types: readonly string[]): number[] {
  return storedIds(step.parameter, step.kind === "has" ? [step.type] : types);
}

function storedIds(parameter: SearchParameter, types: readonly string[]): number[] {
  return storedParameters(parameter, types).map(({ parameter: id }) => id);
}

function stepsAt(groups: readonly CriteriaGroup[]): { step: Step; types: readonly string[] }[] {
  return groups.flatMap(({ types = RESOURCE_TYPES, criteria }) =>
    criteria.flatMap((criterion) =>
      criterion.kind === "chain" || criterion.kind === "has" ? [{ step: criterion, types }] : [],
    ),
  );
}

function stepsIn(groups: readonly CriteriaGroup[]): { step: Step; types: readonly string[] }[] {
  const steps = stepsAt(groups);
  return [...steps, ...steps.flatMap(({ step }) => stepsIn(step.groups))];
}

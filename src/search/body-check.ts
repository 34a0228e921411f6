import { isObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { isCustom } from "../fhir/custom-search-parameters.ts";
import { keyRangeOfType, resourceKeyOf } from "../fhir/resource-key.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { UNIT_TERMS } from "../fhir/search-value.ts";
import { withSecondHash } from "../fhir/second-hash.ts";
import { collectValues } from "../index/collected-values.ts";
import { createIndexer, type Indexer } from "../index/indexer.ts";
import { literalsOf } from "../index/number-literals.ts";
import { BlockCache, readBodies } from "../store/resources/body.ts";
import { VERSION_COLUMNS_SQL, versionOf, type VersionColumns } from "../store/resources/read.ts";
import { type Queryable } from "../postgres/pool.ts";
import { readDefinitions, type Definitions } from "../store/search/search-parameters.ts";
import { refersByCanonical } from "../fhir/parameter-elements.ts";
import { ALWAYS, type Condition } from "./condition/condition.ts";
import { conditionSql } from "./condition/condition-sql.ts";
import { allOf } from "./condition/combine.ts";
import { ownUrls } from "./resolve/own-urls.ts";
import { searchCondition, type SearchRules } from "./compile/plan.ts";
import { referenceLinks } from "./condition/reference-link.ts";
import { resolveCondition } from "./resolve/resolve.ts";
import { containedMatching } from "./resolve/contained/contained-rows.ts";
import type { Container, ContainedEntry, ContainedSet } from "./resolve/contained/contained-set.ts";
import { referencesIn } from "./answer/body-references.ts";
import type { CriteriaGroup, Criterion } from "./criteria/criteria.ts";
import { typeOfKey } from "./parse/include.ts";
import { sql, statement } from "../postgres/sql.ts";

/** A resource that was found, with its body. */
export interface FoundBody {
  readonly type: string;
  readonly id: string;
  readonly body: Buffer;
}

type Chain = Extract<Criterion, { kind: "chain" }>;
type Has = Extract<Criterion, { kind: "has" }>;

/**
 * Those of the found resources that meet the criteria by what stands in bodies: what `verifierOf` does not compare, because it needs
 * the database. Value sets, hierarchies, texts, units and composites are asked of the bodies' values by a second hash. A chain and
 * `_has` lead to what the bodies refer to by their texts, and that is compared in the same way. Not compared are chains into
 * contained resources, and over canonical URLs. Throws what a search throws.
 */
export async function metByBodies<Found extends FoundBody>(
  db: Queryable,
  groups: readonly CriteriaGroup[],
  rules: SearchRules,
  found: readonly Found[],
): Promise<readonly Found[]> {
  const met = new Set<Found>();
  for (const { types, criteria } of groups) {
    let left = found.filter((each) => !met.has(each) && (types?.includes(each.type) ?? true));
    const ofValues = criteria.filter(isAskedOfRows);
    if (left.length > 0 && ofValues.length > 0) left = await metByRows(db, ofValues, rules, left);
    for (const criterion of criteria) left = await led(db, criterion, rules, left);
    for (const each of left) met.add(each);
  }
  return found.filter((each) => met.has(each));
}

/**
 * Those of the found resources that chains and `_has` lead to or from by the texts of references, and not only by their keys: a
 * reference to what is not stored may have the key of something that is. Other criteria are not compared.
 */
export async function ledByBodies<Found extends FoundBody>(
  db: Queryable,
  groups: readonly CriteriaGroup[],
  rules: SearchRules,
  found: readonly Found[],
): Promise<readonly Found[]> {
  const links = groups.map(({ types, criteria }) => ({ types, criteria: criteria.filter(isLink) }));
  if (links.every(({ criteria }) => criteria.length === 0)) return found;
  return await metByBodies(db, links, rules, found);
}

function isLink(criterion: Criterion): criterion is Chain | Has {
  return criterion.kind === "chain" || criterion.kind === "has";
}

/** Whether {@link metByBodies} has anything to compare. */
export function asksBodies(groups: readonly CriteriaGroup[]): boolean {
  return groups.some(({ criteria }) => criteria.some((each) => isLink(each) || isAskedOfRows(each)));
}

/** Whether hashes decide, and more than the equality values of one parameter. What is found by a negation has no such value. */
function isAskedOfRows(criterion: Criterion): boolean {
  if (criterion.kind === "missing") return !criterion.missing;
  if (criterion.kind !== "values") return false;
  const { comparison, parameter, values } = criterion;
  if (comparison === "not" || comparison === "not-in") return false;
  return values.some((value) => {
    if (value.type === "uri") return value.version !== undefined || comparison === "above";
    if (value.type === "quantity") return value.code !== undefined;
    return (
      value.type === "composite" ||
      comparison === "in" ||
      comparison === "text" ||
      (parameter.type !== "string" && (comparison === "below" || comparison === "above"))
    );
  });
}

/** The bodies' values by the second hash are brought along in the statement, in place of the search tables. */
async function metByRows<Found extends FoundBody>(
  db: Queryable,
  criteria: readonly Criterion[],
  rules: SearchRules,
  found: readonly Found[],
): Promise<Found[]> {
  const isBeyondR4 = criteria.some((criterion) => "parameter" in criterion && isCustom(criterion.parameter));
  const definitions = isBeyondR4 ? await readDefinitions(db) : undefined;
  const { set, condition } = withSecondHash(() => {
    const bodies = setOf(found, definitions);
    const types = [...new Set(found.map(({ type }) => type))];
    const groups = types.map((type) => ({ types: [type], criteria }));
    return { set: bodies, condition: searchCondition(groups, { ...rules, contained: bodies }) };
  });
  const lookups = { db, blocks: new BlockCache(0), current: ALWAYS, found: new Map(), hashed: withSecondHash };
  const keys = await containedMatching(lookups, set, condition);
  return found.filter((_, index) => keys.has(set.entries[index]?.key ?? 0n));
}

/** Made and used with the second hash only, which is one for the process. */
let secondIndexer: Indexer | undefined;

function setOf(found: readonly FoundBody[], definitions: Definitions | undefined): ContainedSet {
  const indexer = (secondIndexer ??= createIndexer());
  if (definitions !== undefined && definitions.generation !== indexer.generation) indexer.extend(definitions);
  const container: Container = { key: 0n, typeId: 0, references: [], contained: new Map() };
  const entries = found.map(({ type, id, body }, index): ContainedEntry => {
    const typeId = resourceTypeId(type) ?? 0;
    const text = body.toString("utf8");
    const resource = JSON.parse(text) as JsonObject;
    const { sink, values } = collectValues();
    indexer.indexAlone(typeId, resource, sink, literalsOf(text));
    const key = keyRangeOfType(typeId).low + BigInt(index);
    return { key, typeId, container, id, resource, references: [], values };
  });
  const terms = entries.flatMap(({ values }) => values.terms);
  const units = {
    codes: new Set(entries.flatMap(({ values }) => values.quantities.map(({ code }) => code))),
    names: [...new Set(terms.filter(({ parameter }) => parameter === UNIT_TERMS).map(({ folded }) => folded))],
  };
  return { containers: [container], entries, units };
}

async function led<Found extends FoundBody>(
  db: Queryable,
  criterion: Criterion,
  rules: SearchRules,
  found: Found[],
): Promise<Found[]> {
  if (!isLink(criterion) || found.length === 0 || refersByCanonical(criterion.parameter)) return found;
  if (criterion.kind === "chain") return await referring(db, criterion, rules, found);
  const referred: Found[] = [];
  for (const each of found) if (await isReferred(db, criterion, rules, each)) referred.push(each);
  return referred;
}

/** Those that refer, by their texts, to what meets the end of the chain. */
async function referring<Found extends FoundBody>(
  db: Queryable,
  { parameter, groups }: Chain,
  rules: SearchRules,
  found: Found[],
): Promise<Found[]> {
  const asked = found.map((each) => {
    const resource = JSON.parse(each.body.toString("utf8")) as JsonObject;
    const { contained } = resource;
    const isUnsure = Array.isArray(contained) && contained.length > 0 && each.body.includes('"#');
    return { each, isUnsure, names: isUnsure ? [] : [...namesIn(resource, each.type, parameter, rules)] };
  });
  const names = new Set(asked.flatMap((each) => each.names));
  const keys = [...names].map((name) => resourceKeyOf(...splitName(name)));
  const condition = allOf([{ kind: "keys", keys }, searchCondition(groups, rules)]);
  const targets = keys.length === 0 ? [] : await readMeeting(db, condition, keys.length);
  const meant = targets.filter(({ type, id }) => names.has(`${type}/${id}`));
  const met = new Set((await metByBodies(db, groups, rules, meant)).map(({ type, id }) => `${type}/${id}`));
  return asked.filter((each) => each.isUnsure || each.names.some((name) => met.has(name))).map(({ each }) => each);
}

/** Whether something that meets the criteria of `_has` refers to the resource by its text. */
async function isReferred(
  db: Queryable,
  { type, parameter, groups }: Has,
  rules: SearchRules,
  found: FoundBody,
): Promise<boolean> {
  const links = referenceLinks(parameter, [type], [found.type]);
  const key = resourceKeyOf(found.type, found.id);
  const values = [...links, ...ownUrls(links, rules.baseUrl ?? "")].map(({ constant }) => key ^ constant);
  const condition = allOf([{ kind: "holds", values }, searchCondition(groups, rules)]);
  for (const most of SOURCES) {
    const sources = await readMeeting(db, condition, most);
    const referring = sources.filter((source) => {
      const resource = JSON.parse(source.body.toString("utf8")) as JsonObject;
      return namesIn(resource, type, parameter, rules).has(`${found.type}/${found.id}`);
    });
    if ((await metByBodies(db, groups, rules, referring)).length > 0) return true;
    if (sources.length < most) break;
  }
  return false;
}

/** What is read of what refers to a resource: one that meets the criteria is enough, and nearly always the first one does. */
const SOURCES = [10, 1000];

/** `Type/id` of all that a resource refers to by the parameter. */
function namesIn(
  resource: JsonValue,
  type: string,
  parameter: Has["parameter"],
  { baseUrl = "" }: SearchRules,
): Set<string> {
  const references = isObject(resource) ? referencesIn(resource, type, parameter, baseUrl) : [];
  return new Set(references.flatMap((each) => (each.kind === "resource" ? [`${each.type}/${each.id}`] : [])));
}

function splitName(name: string): [type: string, id: string] {
  const slash = name.indexOf("/");
  return [name.slice(0, slash), name.slice(slash + 1)];
}

async function readMeeting(db: Queryable, condition: Condition, most: number): Promise<FoundBody[]> {
  const resolved = await resolveCondition(db, condition);
  const { rows } = await db.query<VersionColumns & { key: string }>(
    statement(sql`select v.key::text, v.id, ${VERSION_COLUMNS_SQL} from search_resource r join resource_current v on v.key = r.key
      where ${conditionSql(resolved)} limit ${most}`),
  );
  const versions = rows.map((row) => versionOf(typeOfKey(BigInt(row.key)), row));
  const bodies = await readBodies(
    db,
    new BlockCache(0),
    versions.map(({ place }) => place),
  );
  return versions.map(({ type, id }, index) => ({ type, id, body: bodies[index] ?? Buffer.from("{}") }));
}

import { servedBody } from "./answer/served-body.ts";
import { randomUUID } from "node:crypto";
import { displacedIds, resourceKeyOf } from "../fhir/resource-key.ts";
import type { Queryable } from "../postgres/pool.ts";
import { ledByBodies } from "./body-check.ts";
import { bundleBytes, type Entry } from "./answer/bundle.ts";
import { readSnapshot, withSearchParameters, type ReadContext } from "./context/context.ts";
import { readPosition, readSortedCursor, storeOrder, writeCursor, writePosition } from "./execute/cursor.ts";
import { readIncluded, withBodies, type ReadResource } from "./answer/included.ts";
import { queryUrl, type BundleAnswer, type PageLink } from "./answer/links.ts";
import { readPage, type PageRequest } from "./execute/page.ts";
import type { Page } from "./execute/page-rows.ts";
import { scopeCondition, scopeRange, searchCondition, type SearchRules } from "./compile/plan.ts";
import { countResources, estimateResources, gatheringSql } from "./cost/planner.ts";
import { parseQuery, type SearchQuery, type SearchRequest } from "./parse/query.ts";
import { resolveCondition } from "./resolve/resolve.ts";
import { locationDistance, nearValues } from "./answer/location-distance.ts";
import type { CriteriaGroup, NearValue } from "./criteria/criteria.ts";
import { shaped, type Shape } from "./projection/shape.ts";
import { readSortTexts } from "./execute/sort-texts.ts";
import { readSortedPage } from "./execute/sorted-page.ts";
import type { Sql } from "../postgres/sql.ts";
import { withSpellings } from "./resolve/terminology/spellings.ts";
import { verifierOf } from "./answer/verification.ts";
import { versionWarnings } from "./answer/versioned-chains.ts";

/**
 * Searches and answers with a searchset Bundle as bytes (contract 10). Throws what {@link parseQuery} throws, and
 * `too-costly`.
 */
export async function search(context: ReadContext, request: Omit<SearchRequest, "baseUrl">): Promise<BundleAnswer> {
  const { baseUrl } = context;
  const query = await withSearchParameters(context, (lookup) => parseQuery({ ...request, baseUrl, lookup }));
  return answerQuery(context, query, searchPath(request));
}

/** Answers a query that has been understood; `path` and `query.used` make the links. */
export async function answerQuery(context: ReadContext, query: SearchQuery, path: string): Promise<BundleAnswer> {
  const { baseUrl } = context;
  const { total, page, matches, included, warnings } = await find(context, query);
  const links = pageLinks(query, page, (parameters) => queryUrl(baseUrl, path, parameters));
  const { shape } = query;
  const near = nearValues(query.groups);
  // Names of elements are those of the searched types; what is included is of others.
  const shapeOfIncluded = typeof shape === "string" ? shape : undefined;
  const entries = [
    ...matches.map((match) => resourceEntry(baseUrl, match, "match", shape, near)),
    ...included.map((resource) => resourceEntry(baseUrl, resource, "include", shapeOfIncluded)),
  ];
  const all = [...query.warnings, ...warnings];
  if (all.length > 0) entries.push(outcomeEntry(all));
  const bytes = bundleBytes({ type: "searchset", ...(total === undefined ? {} : { total }), links, entries });
  return { bytes, links };
}

/** The links of a page. Only in the orders of the store pages can be read backwards. */
function pageLinks(
  { used, sort, cursor }: SearchQuery,
  { next, previous }: Page,
  urlOf: (parameters: SearchQuery["used"]) => string,
): PageLink[] {
  const links: PageLink[] = [{ relation: "self", url: urlOf(used) }];
  if (next === undefined && cursor === undefined) return links;
  const others = used.filter(([name]) => name !== "_cursor");
  const at = (text: string): string => urlOf([...others, ["_cursor", text]]);
  links.push({ relation: "first", url: urlOf(others) });
  if (previous !== undefined) {
    links.push({ relation: "previous", url: at(writePosition({ from: previous, backwards: true })) });
  }
  if (next !== undefined) links.push({ relation: "next", url: at(writeCursor(next)) });
  if (storeOrder(sort) !== undefined) {
    links.push({ relation: "last", url: at(writePosition({ from: undefined, backwards: true })) });
  }
  return links;
}

function searchPath({ type, compartment }: Pick<SearchRequest, "type" | "compartment">): string {
  if (compartment === undefined) return type ?? "";
  return `${compartment.type}/${compartment.id}/${type ?? "*"}`;
}

const NO_PAGE: Page = { versions: [], next: undefined, previous: undefined };

interface Found {
  total: number | undefined;
  page: Page;
  matches: ReadResource[];
  included: ReadResource[];
  warnings: string[];
}

async function find(context: ReadContext, query: SearchQuery): Promise<Found> {
  const readPageOf = pageReader(query, context.baseUrl);
  const rules = { dateEquality: context.dateEquality, now: Date.now(), baseUrl: context.baseUrl };
  return readSnapshot(context, async (client) => {
    const groups = await withSpellings(client, query.groups);
    const resolved = await resolveCondition(client, searchCondition(groups, rules), context.blocks);
    let condition: Promise<Sql> | undefined;
    // Finding out how it is gathered can take as long as reading a page without it.
    const gathering = (): Promise<Sql> => (condition ??= gatheringSql(client, resolved));
    if (query.count === 0) {
      const total = await countResources(client, await gathering());
      return { total, page: NO_PAGE, matches: [], included: [], warnings: [] };
    }
    const page = await readPageOf(client, { resolved, gathering });
    const read = await withBodies(client, context, page.versions);
    const verify = verifierOf(groups, rules, "references");
    const met = verify === undefined ? read : read.filter(({ version, body }) => verify(version, body));
    const matches = displacedIds().generation === 0 ? met : await led(client, groups, rules, met);
    let total: number | undefined;
    const isWhole = query.cursor === undefined && page.next === undefined;
    if (isWhole) total = query.total === "none" ? undefined : matches.length;
    else if (query.total === "accurate") total = await countResources(client, await gathering());
    else if (query.total === "estimate") total = await estimateResources(client, await gathering());
    const keys = matches.map(({ version }) => resourceKeyOf(version.type, version.id));
    const ofChains = await versionWarnings(client, query.groups, keys);
    const included = await readIncluded(client, context, query.includes, matches);
    return { total, page, matches, included: included.resources, warnings: [...ofChains, ...included.warnings] };
  });
}

/** In a store in which ids share keys, references to what is not stored may do so, too: those that lead somewhere are read. */
async function led(
  db: Queryable,
  groups: readonly CriteriaGroup[],
  rules: SearchRules,
  read: readonly ReadResource[],
): Promise<ReadResource[]> {
  const found = read.map((each) => ({ type: each.version.type, id: each.version.id, body: each.body, each }));
  return (await ledByBodies(db, groups, rules, found)).map(({ each }) => each);
}

/** How the page is read: in an order the store keeps, or in any other. Throws `bad-request` on a wrong cursor. */
function pageReader(
  query: SearchQuery,
  baseUrl: string,
): (db: Queryable, found: Pick<PageRequest, "resolved" | "gathering">) => Promise<Page> {
  const { count, cursor, sort: keys, groups } = query;
  const scope = scopeCondition(groups);
  const sort = storeOrder(keys);
  if (sort === undefined) {
    const after = cursor === undefined ? undefined : readSortedCursor(cursor, keys);
    return async (db, { resolved, gathering }) => {
      const condition = await gathering();
      const texts = await readSortTexts(db, condition, keys, baseUrl);
      return readSortedPage(db, { resolved, condition, texts, scope, count, keys, after });
    };
  }
  const position = cursor === undefined ? { from: undefined, backwards: false } : readPosition(cursor, sort);
  const isFiltered = groups.some((group) => group.criteria.length > 0);
  const range = scopeRange(groups);
  return (db, found) => readPage(db, { ...found, ...position, scope, range, count, sort, isFiltered });
}

function resourceEntry(
  baseUrl: string,
  { version, body }: ReadResource,
  mode: "match" | "include",
  shape: Shape | undefined,
  near: readonly NearValue[] = [],
): Entry {
  const served = servedBody(version, body);
  const isNear = near.length > 0 && version.type === "Location";
  const extension = isNear ? locationDistance(body, near) : undefined;
  return {
    fullUrl: `${baseUrl}/${version.type}/${version.id}`,
    resource: shape === undefined ? served : shaped(served, version.type, shape),
    rest: { search: { mode, ...(extension === undefined ? {} : { extension: [extension] }) } },
  };
}

/** What was not understood: the client may have meant to search for less. */
function outcomeEntry(warnings: readonly string[]): Entry {
  const issue = warnings.map((diagnostics) => ({ severity: "warning", code: "not-supported", diagnostics }));
  return {
    fullUrl: `urn:uuid:${randomUUID()}`,
    resource: Buffer.from(JSON.stringify({ resourceType: "OperationOutcome", issue })),
    rest: { search: { mode: "outcome" } },
  };
}

import { StokerError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { displacedIds, keyRangeOfType, resourceKeyOf } from "../../fhir/resource-key.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import { readBodies } from "../../store/resources/body.ts";
import { VERSION_COLUMNS_SQL, versionOf, type StoredVersion, type VersionColumns } from "../../store/resources/read.ts";
import { type Queryable } from "../../postgres/pool.ts";
import { type Condition } from "../condition/condition.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { allOf } from "../condition/combine.ts";
import { takeRoom, type ReadContext } from "../context/context.ts";
import { linksOfSource, parametersOfInclude, typeOfKey, type Include, type SourceLinks } from "../parse/include.ts";
import { ownUrls, withOwnUrls } from "../resolve/own-urls.ts";
import { resolveCondition } from "../resolve/resolve.ts";
import { referencesIn } from "./body-references.ts";
import { mayNameVersions, readVersions, targetsInText } from "./included-by-text.ts";
import { canonicalReferences, canonicalTargets, isTarget } from "./included-canonicals.ts";
import { sql, statement, type Sql } from "../../postgres/sql.ts";

/** A resource with its body. */
export interface ReadResource {
  version: StoredVersion;
  body: Buffer;
  /** It is there because this version is meant: perhaps not the current one. */
  isVersion?: boolean;
}

/** What is included with a page, and what could not be. */
export interface Included {
  resources: ReadResource[];
  warnings: string[];
}

/** Resources, bytes and steps from one included resource to the next, that one page may include. */
const MAX_INCLUDED = 10_000;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_ROUNDS = 32;

/**
 * The resources that are included with a page's matches: each once, none that is a match, in the order of keys. Of a reference to
 * a version that version is included, where it is stored; a warning says where it is not (R4 search, 3.1.1.4.13). Throws
 * `too-costly` when there are more than one answer should hold: cutting them off would say that there are no others.
 */
export async function readIncluded(
  db: Queryable,
  context: Pick<ReadContext, "blocks" | "baseUrl" | "memory">,
  includes: readonly Include[],
  matches: readonly ReadResource[],
): Promise<Included> {
  const { baseUrl } = context;
  const seen = new Set(matches.map(({ version }) => nameOf(version)));
  const included: ReadResource[] = [];
  const missing = new Set<string>();
  let sources = matches;
  let bytes = 0;
  for (let round = 0; sources.length > 0; round++) {
    const applied = round === 0 ? includes : includes.filter(({ iterate }) => iterate);
    if (applied.length === 0) break;
    if (round === MAX_ROUNDS) throw tooMany(`leads over more than ${MAX_ROUNDS} references`);
    const found = await readTargets(db, baseUrl, applied, sources, missing);
    const fresh = new Map(
      found.filter(({ version }) => !seen.has(nameOf(version))).map((row) => [nameOf(row.version), row]),
    );
    bytes += [...fresh.values()].reduce((sum, { version: { place } }) => sum + place.length, 0);
    if (included.length + fresh.size > MAX_INCLUDED) throw tooMany(`adds more than ${MAX_INCLUDED} resources`);
    if (bytes > MAX_BYTES) throw tooMany("adds resources of more than 64 MiB");
    const rows = [...fresh.values()].toSorted(inOrder);
    const read = await withBodies(
      db,
      context,
      rows.map(({ version }) => version),
    );
    const isMeant = rows.some(({ isReferring }) => isReferring === true)
      ? refersByText(applied, sources, baseUrl)
      : (): boolean => true;
    sources = read
      .map((resource, index) => (rows[index]?.isVersion === true ? { ...resource, isVersion: true } : resource))
      .filter((resource, index) => rows[index]?.isReferring !== true || isMeant(resource));
    for (const name of fresh.keys()) seen.add(name);
    included.push(...sources);
  }
  return { resources: included, warnings: missingWarnings([...missing]) };
}

/** A version of a resource. */
function nameOf({ type, id, versionId }: StoredVersion): string {
  return `${type}/${id}/_history/${versionId}`;
}

function inOrder(a: Found, b: Found): number {
  if (a.key === b.key) return a.version.versionId - b.version.versionId;
  return a.key < b.key ? -1 : 1;
}

function missingWarnings(names: readonly string[]): string[] {
  const shown = names
    .slice(0, MAX_WARNINGS)
    .map((name) => `${name} is referenced but not stored: nothing was included for this reference.`);
  const more = names.length - shown.length;
  return more > 0 ? [...shown, `${more} more references to versions lead to nothing stored.`] : shown;
}

const MAX_WARNINGS = 20;

/** What the sources refer to, and what refers to them. `missing` takes the names of versions that are not stored. */
async function readTargets(
  db: Queryable,
  baseUrl: string,
  includes: readonly Include[],
  sources: readonly ReadResource[],
  missing: Set<string>,
): Promise<Found[]> {
  const forward = includes.filter(({ direction }) => direction === "forward");
  // Which version a reference means, its text alone says.
  const isByText = ({ body, isVersion }: ReadResource): boolean => isVersion === true || mayNameVersions(body);
  const byText = sources.filter(isByText);
  const byValue = sources.filter((source) => !isByText(source));
  const current = sources.filter(({ isVersion }) => isVersion !== true);
  const texts = targetsInText(forward, byText, baseUrl);
  const versions = await readVersions(db, texts.versions);
  for (const name of versions.missing) missing.add(name);
  const canonicals = [...(await canonicalTargets(db, forward, current.map(sourceOf))), ...texts.canonicals];
  return [
    ...(await readForward(db, baseUrl, forward, byValue)),
    ...(await readKeys(db, texts.keys)),
    ...versions.stored.map((version) => ({ key: resourceKeyOf(version.type, version.id), version, isVersion: true })),
    ...(canonicals.length === 0 ? [] : await readMeeting(db, isTarget(canonicals))),
    ...(await readReverse(db, baseUrl, includes, current)),
  ];
}

function sourceOf(source: ReadResource): { type: string; key: bigint } {
  return { type: source.version.type, key: keyOf(source) };
}

/** The current versions that have these keys. */
async function readKeys(db: Queryable, keys: ReadonlySet<bigint>): Promise<Found[]> {
  if (keys.size === 0) return [];
  const { rows } = await db.query<FoundRow>(
    statement(sql`select v.key::text, v.id, ${VERSION_COLUMNS_SQL} from resource_current v
      where v.key = any(${[...keys]}::bigint[]) and ${CURRENT} limit ${LIMIT}`),
  );
  return rows.map(foundOf);
}

/** The current versions that meet a condition. */
async function readMeeting(db: Queryable, condition: Condition): Promise<Found[]> {
  const { rows } = await db.query<FoundRow>(
    statement(sql`select v.key::text, v.id, ${VERSION_COLUMNS_SQL} from search_resource r join resource_current v on v.key = r.key
      where ${conditionSql(await resolveCondition(db, condition))} limit ${LIMIT}`),
  );
  return rows.map(foundOf);
}

/** The versions with their bodies. */
export async function withBodies(
  db: Queryable,
  context: Pick<ReadContext, "blocks" | "memory">,
  versions: readonly StoredVersion[],
): Promise<ReadResource[]> {
  await takeRoom(
    context,
    versions.reduce((sum, { place }) => sum + place.length, 0),
  );
  const bodies = await readBodies(
    db,
    context.blocks,
    versions.map(({ place }) => place),
  );
  return versions.map((version, index) => ({ version, body: bodies[index] ?? Buffer.alloc(0) }));
}

interface Found {
  key: bigint;
  version: StoredVersion;
  /** It is there because it refers to one of the sources, of which its text is to be asked. */
  isReferring?: boolean;
  isVersion?: boolean;
}

type FoundRow = VersionColumns & { key: string };

/**
 * What the sources refer to. A value that is no reference gives, with a constant, a number that is the key of some
 * resource once in 2^64 / (resources) tries: a source that has not the text of the id has no reference to it.
 */
async function readForward(
  db: Queryable,
  baseUrl: string,
  includes: readonly Include[],
  sources: readonly ReadResource[],
): Promise<Found[]> {
  const types = new Set(sources.map(({ version }) => version.type));
  const links: SourceLinks[] = [];
  for (const type of types) {
    const written = linksOfSource(type, includes);
    if (written === undefined) continue;
    // To look for references by URL costs less than to ask whether there are any.
    links.push({ ...written, links: [...written.links, ...ownUrls(written.links, baseUrl)] });
  }
  if (links.length === 0) return [];
  const bodies = new Map(sources.map((source) => [`${keyOf(source)}`, source.body]));
  const found = await db.query<FoundRow & { sources: string[] }>(
    statement(sql`select v.key::text, t.sources, v.id, ${VERSION_COLUMNS_SQL} from (
        select u.value # l.constant as key, array_agg(distinct r.key::text) as sources
        from resource_current h join search_resource r on r.segment = h.segment and r.key = h.key and r.stamp = h.stamp,
          unnest(r.equality) u (value), ${sourceRows(links)}
        where h.key = any(${[...bodies.keys()]}::bigint[]) and h.key between l.source_low and l.source_high
          and (u.value # l.constant) between l.low and l.high
        group by u.value # l.constant) t
      join resource_current v on v.key = t.key where ${CURRENT} limit ${LIMIT}`),
  );
  return found.rows.filter((row) => row.sources.some((source) => bodies.get(source)?.includes(row.id))).map(foundOf);
}

/** What refers to the sources. */
async function readReverse(
  db: Queryable,
  baseUrl: string,
  includes: readonly Include[],
  sources: readonly ReadResource[],
): Promise<Found[]> {
  const reverse = includes.filter(({ direction }) => direction === "reverse");
  const keys = sources.map(keyOf);
  const found: Found[] = [];
  for (const type of new Set(reverse.flatMap(({ source }) => source ?? []))) {
    const from = linksOfSource(type, reverse);
    const links = await withOwnUrls(db, from?.links ?? [], baseUrl);
    const values = links.flatMap(({ constant, low, high }) =>
      keys.filter((key) => low <= key && key <= high).map((key) => key ^ constant),
    );
    const canonicals = await canonicalReferences(db, reverse, type, sources.map(sourceOf));
    values.push(...canonicals);
    if (values.length === 0) continue;
    const { low, high } = keyRangeOfType(resourceTypeId(type) ?? 0);
    const condition: Condition = allOf([
      { kind: "sql", test: sql`r.key between ${low} and ${high}` },
      { kind: "holds", values },
    ]);
    const meeting = await readMeeting(db, condition);
    // In a store in which ids share keys, references to what is not stored may do so, too.
    const isReferring = displacedIds().generation > 0 && canonicals.length === 0;
    found.push(...meeting.map((each) => ({ ...each, isReferring })));
    if (found.length >= LIMIT) break;
  }
  return found;
}

/** Whether a resource refers to one of the sources by its text. */
function refersByText(
  includes: readonly Include[],
  sources: readonly ReadResource[],
  baseUrl: string,
): (resource: ReadResource) => boolean {
  const names = new Set(sources.map(({ version }) => `${version.type}/${version.id}`));
  const reverse = includes.filter(({ direction }) => direction === "reverse");
  return ({ version: { type }, body }) => {
    const resource = JSON.parse(body.toString("utf8")) as JsonObject;
    return reverse
      .flatMap((include) => parametersOfInclude(include, type))
      .flatMap((parameter) => referencesIn(resource, type, parameter, baseUrl))
      .some((reference) => reference.kind === "resource" && names.has(`${reference.type}/${reference.id}`));
  };
}

/** The links as rows `l`, each with the keys of the type it is for. */
function sourceRows(sources: readonly SourceLinks[]): Sql {
  const rows = sources.flatMap(({ low, high, links }) => links.map((link) => ({ low, high, link })));
  const columns = [
    rows.map(({ low }) => low),
    rows.map(({ high }) => high),
    rows.map(({ link }) => link.constant),
    rows.map(({ link }) => link.low),
    rows.map(({ link }) => link.high),
  ] as const;
  return sql`unnest(${columns[0]}::bigint[], ${columns[1]}::bigint[], ${columns[2]}::bigint[], ${columns[3]}::bigint[],
    ${columns[4]}::bigint[]) l (source_low, source_high, constant, low, high)`;
}

function keyOf({ version }: ReadResource): bigint {
  return resourceKeyOf(version.type, version.id);
}

function foundOf(row: FoundRow): Found {
  const key = BigInt(row.key);
  return { key, version: versionOf(typeOfKey(key), row) };
}

function tooMany(what: string): StokerError {
  return new StokerError("too-costly", `What this search includes ${what}: ask for smaller pages (_count).`, {
    status: 400,
  });
}
const CURRENT: Sql = sql`v.segment is not null and not v.deleted`;
/** All that may be included, what is already there, and one more. */
const LIMIT = 2 * MAX_INCLUDED + 1001;

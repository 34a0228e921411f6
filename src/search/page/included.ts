import { StokerError } from "../../base/errors.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { readBodies } from "../../store/body.ts";
import {
  VERSION_COLUMNS,
  versionOf,
  type Queryable,
  type StoredVersion,
  type VersionColumns,
} from "../../store/read.ts";
import { allOf, conditionSql, type Condition } from "../conditions/condition.ts";
import { takeRoom, type ReadContext } from "../context.ts";
import { linksOfSource, typeOfKey, type Include, type SourceLinks } from "../query/include.ts";
import { ownUrls, withOwnUrls } from "../conditions/own-urls.ts";
import { resolveCondition } from "../conditions/resolve.ts";
import { sql, statement, type Sql } from "../sql.ts";

/** A resource with its body. */
export interface ReadResource {
  version: StoredVersion;
  body: Buffer;
}

/** Resources, bytes and steps from one included resource to the next, that one page may include. */
const MAX_INCLUDED = 10_000;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_ROUNDS = 32;

/**
 * The resources that are included with a page's matches: each once, none that is a match, in the order of keys. Throws
 * `too-costly` when there are more than one answer should hold: cutting them off would say that there are no others.
 */
export async function readIncluded(
  db: Queryable,
  context: Pick<ReadContext, "blocks" | "baseUrl" | "memory">,
  includes: readonly Include[],
  matches: readonly ReadResource[],
): Promise<ReadResource[]> {
  const { baseUrl } = context;
  const seen = new Set(matches.map(keyOf));
  const included: ReadResource[] = [];
  let sources = matches;
  let bytes = 0;
  for (let round = 0; sources.length > 0; round++) {
    const applied = round === 0 ? includes : includes.filter(({ iterate }) => iterate);
    if (applied.length === 0) break;
    if (round === MAX_ROUNDS) throw tooMany(`leads over more than ${MAX_ROUNDS} references`);
    const found = [
      ...(await readForward(db, baseUrl, applied, sources)),
      ...(await readReverse(db, baseUrl, applied, sources)),
    ];
    const fresh = new Map(found.filter(({ key }) => !seen.has(key)).map((row) => [row.key, row.version]));
    bytes += [...fresh.values()].reduce((sum, { place }) => sum + place.length, 0);
    if (included.length + fresh.size > MAX_INCLUDED) throw tooMany(`adds more than ${MAX_INCLUDED} resources`);
    if (bytes > MAX_BYTES) throw tooMany("adds resources of more than 64 MiB");
    const versions = [...fresh].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, version]) => version);
    sources = await withBodies(db, context, versions);
    for (const key of fresh.keys()) seen.add(key);
    included.push(...sources);
  }
  return included;
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
  const forward = includes.filter(({ direction }) => direction === "forward");
  const types = new Set(sources.map(({ version }) => version.type));
  const links: SourceLinks[] = [];
  for (const type of types) {
    const written = linksOfSource(type, forward);
    if (written === undefined) continue;
    // To look for references by URL costs less than to ask whether there are any.
    links.push({ ...written, links: [...written.links, ...ownUrls(written.links, baseUrl)] });
  }
  if (links.length === 0) return [];
  const bodies = new Map(sources.map((source) => [`${keyOf(source)}`, source.body]));
  const found = await db.query<FoundRow & { sources: string[] }>(
    statement(sql`select v.key::text, t.sources, v.id, ${COLUMNS} from (
        select u.value # l.constant as key, array_agg(distinct r.key::text) as sources
        from head h join search_resource r on r.segment = h.segment and r.key = h.key and r.stamp = h.stamp,
          unnest(r.equality) u (value), ${sourceRows(links)}
        where h.key = any(${[...bodies.keys()]}::bigint[]) and h.key between l.source_low and l.source_high
          and (u.value # l.constant) between l.low and l.high
        group by u.value # l.constant) t
      join head v on v.key = t.key where ${CURRENT} limit ${LIMIT}`),
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
    if (from === undefined || values.length === 0) continue;
    const condition: Condition = allOf([
      { kind: "sql", test: sql`r.key between ${from.low} and ${from.high}` },
      { kind: "holds", values },
    ]);
    const { rows } = await db.query<FoundRow>(
      statement(sql`select v.key::text, v.id, ${COLUMNS} from search_resource r join head v on v.key = r.key
        where ${conditionSql(await resolveCondition(db, condition))} limit ${LIMIT}`),
    );
    found.push(...rows.map(foundOf));
    if (found.length >= LIMIT) break;
  }
  return found;
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

const COLUMNS: Sql = { texts: [VERSION_COLUMNS], values: [] };
const CURRENT: Sql = sql`v.segment is not null and not v.deleted`;
/** All that may be included, what is already there, and one more. */
const LIMIT = 2 * MAX_INCLUDED + 1001;

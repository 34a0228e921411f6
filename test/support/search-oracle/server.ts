import { openWriteServer, type WriteServer } from "../../../src/http/testing/write-server.ts";
import { BASE } from "./values.ts";
import { written } from "./query.ts";
import { openWorld, type Search, type Stored, type World } from "./world.ts";

/** A server with resources in it, and the oracle that knows them. */
export interface OracleServer {
  readonly server: WriteServer;
  readonly world: World;
  /** `Type/id` of the matches of a search, sorted; fails when the answer is not 200. */
  matches(path: string): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * Stores the resources by PUT. `earlier` are stored before: those of the same ids become versions that nothing finds any more,
 * the others are deleted.
 */
export async function openOracleServer(
  resources: readonly Stored[],
  earlier: readonly Stored[] = [],
): Promise<OracleServer> {
  const server = await openWriteServer();
  const put = async (resource: Stored): Promise<Stored> => {
    const { status, text, body } = await server.send("PUT", `/${nameOf(resource)}`, resource);
    if (status !== 200 && status !== 201) throw new Error(`${nameOf(resource)}: ${status} ${text}`);
    return body as Stored;
  };
  await inParallel(earlier, async (resource) => void (await put(resource)));
  const names = new Set(resources.map(nameOf));
  await inParallel(
    earlier.filter((resource) => !names.has(nameOf(resource))),
    async (resource) => void (await server.send("DELETE", `/${nameOf(resource)}`)),
  );
  const stored: Stored[] = [];
  await inParallel(resources, async (resource) => void stored.push(await put(resource)));
  return {
    server,
    world: openWorld(stored),
    matches: (path) => matchesOf(server, path),
    close: () => server.close(),
  };
}

interface Entry {
  readonly search: { readonly mode: "match" | "include" | "outcome" };
  readonly resource: Stored;
}

/** `Type/id` of the entries of a whole answer, by `search.mode`: matches and includes, each in the answer's order. */
export async function entries(server: WriteServer, path: string): Promise<{ match: string[]; include: string[] }> {
  const { found, next } = await page(server, `${path}${path.includes("?") ? "&" : "?"}_count=1000`);
  if (next !== undefined) throw new Error("more pages");
  const ofMode = (mode: string): string[] =>
    found.filter(({ search }) => search.mode === mode).map(({ resource }) => nameOf(resource));
  return { match: ofMode("match"), include: ofMode("include") };
}

/**
 * `Type/id` of the matches. The same question is put in different ways, as its length has it: in another order, in small pages,
 * with the total, as the store answers each in its own way.
 */
async function matchesOf(server: WriteServer, path: string): Promise<string[]> {
  const search = `${path}${path.includes("?") ? "&" : "?"}_total=accurate`;
  if (path.length % 4 === 0) return (await entries(server, `${search}&_sort=-_lastUpdated`)).match;
  if (path.length % 4 === 1) return (await entries(server, `${search}&_sort=_id`)).match;
  if (path.length % 4 === 2) return (await entries(server, search)).match;
  const names: string[] = [];
  for (let next: string | undefined = `${search}&_count=3`; next !== undefined;) {
    const { found, total, next: following } = await page(server, next);
    names.push(...found.filter(({ search }) => search.mode === "match").map(({ resource }) => nameOf(resource)));
    next = following;
    if (next === undefined && total !== names.length) throw new Error(`${total} in all, ${names.length} on the pages`);
  }
  return names;
}

/** One page; everything in the search must have been understood. */
async function page(
  server: WriteServer,
  path: string,
): Promise<{ found: readonly Entry[]; total: number | undefined; next: string | undefined }> {
  const { status, text, body } = await server.send("GET", path);
  if (status !== 200) throw new Error(`${status} ${(body.issue?.[0]?.diagnostics as string | undefined) ?? text}`);
  const found = (body.entry ?? []) as Entry[];
  const outcome = found.find(({ search }) => search.mode === "outcome")?.resource as { issue?: Issue[] } | undefined;
  const warning = outcome?.issue?.find(({ diagnostics }) => !OF_VERSIONS.test(diagnostics));
  if (warning !== undefined) throw new Error(`not understood: ${JSON.stringify(warning)}`);
  const links = body.link as { relation: string; url: string }[];
  const next = links.find(({ relation }) => relation === "next")?.url.slice(BASE.length);
  const total = body.total as number | undefined;
  const matches = found.filter(({ search }) => search.mode === "match").length;
  if (next === undefined && !path.includes("_cursor") && total !== undefined && total !== matches) {
    throw new Error(`${total} in all, ${matches} in the answer`);
  }
  return { found, total, next };
}

interface Issue {
  readonly diagnostics: string;
}

/** What is said of references to versions is no matter here. */
const OF_VERSIONS = /references to a specific version|is referenced but not stored|references to versions/;

/** `Type/id`. */
export function nameOf({ resourceType, id }: Stored): string {
  return `${resourceType}/${id}`;
}

/** Does it for all, a few at a time. */
export async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const work = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await act(item);
  };
  await Promise.all(Array.from({ length: 6 }, work));
}

/** One difference between server and oracle. */
export interface Difference {
  readonly search: string;
  readonly missing: readonly string[];
  readonly surplus: readonly string[];
  readonly error?: string;
}

/** Compares what a search finds with what it must find; undefined when they agree. `search` is as a person reads it. */
export async function compare(
  found: () => Promise<readonly string[]>,
  search: string,
  expected: readonly string[],
  world: World,
): Promise<Difference | undefined> {
  try {
    const actual = await found();
    const missing = expected.filter((name) => !actual.includes(name));
    const surplus = actual.filter((name, index) => !expected.includes(name) || actual.indexOf(name) !== index);
    return missing.length + surplus.length === 0 ? undefined : { search, missing, surplus };
  } catch (error) {
    if (isAmbiguous(world, search, String(error))) return undefined;
    return { search, missing: [], surplus: [], error: String(error) };
  }
}

/** Whether a search was refused, and rightly so, because resources of several types have an id that it names without a type. */
function isAmbiguous({ resources }: World, search: string, error: string): boolean {
  const types = /the id is that of resources of several types \(([^)]*)\)/.exec(error)?.[1]?.split(", ");
  if (types === undefined) return false;
  const ids = search.split(/[=,&]/).filter((part) => /^[A-Za-z0-9\-.]{1,64}$/.test(part));
  const known = new Set(resources.map(nameOf));
  return ids.some((id) => types.length > 1 && types.every((type) => known.has(`${type}/${id}`)));
}

/** Compares searches; `found` is how many of them must find something. */
export async function compareSearches(
  oracle: OracleServer,
  searches: readonly Search[],
): Promise<{ found: number; differences: readonly Difference[] }> {
  const differences: Difference[] = [];
  let found = 0;
  await inParallel(searches, async ({ type, criteria }) => {
    const expected = oracle.world.resources.filter(
      (resource) =>
        resource.resourceType === type && criteria.every((criterion) => oracle.world.matches(resource, criterion)),
    );
    found += Math.min(expected.length, 1);
    const path = `/${type}?${criteria.map(written).join("&")}`;
    const difference = await compare(
      () => oracle.matches(path),
      decodeURIComponent(path),
      expected.map(nameOf),
      oracle.world,
    );
    if (difference !== undefined) differences.push(difference);
  });
  return { found, differences };
}

import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findRealData, readResources, unpackRealData, type RealFile } from "./support/real-data.ts";
import { REAL_SEARCHES, type RealSearch } from "./support/real-searches.ts";
import { importFiles, startServer, type ImportOutcome, type StokerServer } from "./support/stoker-process.ts";

const data = findRealData();
if (data === undefined) {
  process.stderr.write("test/real-data.test.ts is skipped: there is no data set; STOKER_TEST_DATA names its folder\n");
}
/** The larger half goes in by InitialLoad, the rest by IncrementalLoad. */
const INITIAL = new Set(["Observation", "ExplanationOfBenefit", "Patient", "Organization"]);
/** Paged through to the end, in pages of a size that does not divide the matches. */
const PAGED: readonly (readonly [search: string, pageSize: number])[] = [
  ["Condition?_tag=https://smarthealthit.org/tags|synthea-5-2019&clinical-status=active", 97],
  ["Observation?date=2015-03", 250],
];

interface Bundle {
  readonly total?: number;
  readonly entry?: readonly { readonly resource: { readonly id: string; readonly resourceType: string } }[];
  readonly link?: readonly { readonly relation: string; readonly url: string }[];
}

describe.skipIf(data === undefined)("real data, loaded by $import and searched", () => {
  let folder: string;
  let server: StokerServer;
  let started: string;
  let files: RealFile[];
  /** By type. */
  const lines = new Map<string, number>();
  /** Ids that a search must find. */
  const expected = new Map<RealSearch, Set<string>>();

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-real-")));
    files = await unpackRealData(data ?? "", folder);
    for (const search of REAL_SEARCHES) expected.set(search, new Set());
    for (const { type, path } of files) {
      const searches = [...expected].filter(([search]) => search.type === type);
      let count = 0;
      for await (const resource of readResources(path)) {
        count += 1;
        for (const [search, ids] of searches) if (search.matches(resource)) ids.add(resource.id);
      }
      lines.set(type, count);
    }
    server = await startServer(folder);
    started = new Date().toISOString();
  }, 180_000);

  afterAll(async () => {
    await server?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  test.each(["InitialLoad", "IncrementalLoad"] as const)(
    "every line is loaded by %s",
    async (mode) => {
      const chosen = files.filter(({ type }) => INITIAL.has(type) === (mode === "InitialLoad"));
      const inputs = chosen.map(({ type, path }) => ({ type, url: pathToFileURL(path).href }));
      const outcome: ImportOutcome = await importFiles(server.base, mode, inputs);
      expect(outcome.error).toEqual([]);
      const counts = inputs.map(({ type, url }) => ({ type, count: lines.get(type), inputUrl: url }));
      expect(outcome.output).toEqual(counts);
    },
    300_000,
  );

  test("each type has as many resources as its file has lines", async () => {
    for (const [type, count] of lines) expect([type, await total(`${type}?`)]).toEqual([type, count]);
    expect(await total("?_type=Patient,Practitioner&")).toBe(
      (lines.get("Patient") ?? 0) + (lines.get("Practitioner") ?? 0),
    );
  });

  test.each(REAL_SEARCHES.map((search) => [shown(search), search] as const))("%s", async (_, search) => {
    const count = expected.get(search)?.size ?? 0;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(lines.get(search.type) ?? 0);
    expect(await total(`${search.type}?${encoded(search.query)}&`)).toBe(count);
  });

  test("_lastUpdated tells what was there before the imports from what they wrote", async () => {
    const now = encodeURIComponent(started);
    expect(await total(`Condition?_lastUpdated=ge${now}&`)).toBe(lines.get("Condition"));
    expect(await total(`Condition?_lastUpdated=lt${now}&`)).toBe(0);
  });

  test.each(PAGED)("paging through %s gives each match once", async (title, pageSize) => {
    const search = REAL_SEARCHES.find((search) => shown(search) === title);
    if (search === undefined) throw new Error(`there is no search ${title}`);
    const ids: string[] = [];
    let next: string | undefined = `${server.base}/${search.type}?${encoded(search.query)}&_count=${String(pageSize)}`;
    while (next !== undefined) {
      const bundle: Bundle = await getBundle(next);
      const page = (bundle.entry ?? []).map(({ resource }) => resource.id);
      ids.push(...page);
      next = bundle.link?.find(({ relation }) => relation === "next")?.url;
      if (next !== undefined) expect(page.length).toBe(pageSize);
    }
    expect(ids.length).toBeGreaterThan(2 * pageSize);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual([...(expected.get(search) ?? [])].toSorted());
  });

  test("a resource is read back as it was written", async () => {
    for (const { type, path } of files) {
      for await (const written of readResources(path)) {
        const response = await fetch(`${server.base}/${type}/${written.id}`);
        const { meta, ...read } = (await response.json()) as Record<string, unknown>;
        const { meta: writtenMeta, ...rest } = written;
        expect(read).toEqual(rest);
        expect(meta).toEqual({
          ...(writtenMeta as object),
          versionId: "1",
          lastUpdated: expect.any(String) as unknown,
        });
        break;
      }
    }
  });

  async function total(search: string): Promise<number | undefined> {
    const bundle = await getBundle(`${server.base}/${search}_total=accurate&_count=0`);
    return bundle.total;
  }
});

async function getBundle(url: string): Promise<Bundle> {
  const response = await fetch(url);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url} answered ${String(response.status)}: ${text}`);
  return JSON.parse(text) as Bundle;
}

function shown({ type, query }: RealSearch): string {
  return `${type}?${query.join("&")}`;
}

function encoded(query: readonly string[]): string {
  return query
    .map((parameter) => {
      const [name = "", ...value] = parameter.split("=");
      return `${encodeURIComponent(name)}=${encodeURIComponent(value.join("="))}`;
    })
    .join("&");
}

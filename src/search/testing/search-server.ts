import type { JsonObject } from "../../base/json.ts";
import { openLogger } from "../../base/logger.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import { createApp } from "../../http/app.ts";
import type { HttpContext } from "../../http/protocol/context.ts";
import { createIndexer } from "../../index/indexer.ts";
import { loadVersions, type TestVersion } from "../../store/testing/load-resources.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";

/** The base of the tests' servers. */
export const BASE = "http://stoker.test/fhir";

/** An answer with its JSON. */
export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  body: JsonObject;
}

/** The HTTP application over a database of its own. */
export interface SearchServer {
  database: TestDatabase;
  /** Writes versions; with `live` false to a segment that is still loading. */
  load(versions: readonly TestVersion[], live?: boolean): Promise<void>;
  /** Loads resources as first, current versions. */
  loadLive(...resources: JsonObject[]): Promise<void>;
  /** GET of a path below the base. */
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** POST of a form. */
  post(path: string, form: string, contentType?: string): Promise<Answer>;
  /** The ids of the matches of a search, sorted; fails when the answer is not 200. */
  ids(path: string, headers?: Record<string, string>): Promise<string[]>;
  /** From now on searches are answered as with this `STOKER_DATE_EQUALITY`; "contain" at the beginning. */
  setDateEquality(rule: HttpContext["dateEquality"]): void;
  close(): Promise<void>;
}

/** Starts a server for a test file. */
export async function openSearchServer(): Promise<SearchServer> {
  const database = await createTestDatabase();
  const indexer = createIndexer();
  // Imports are not part of these tests: what only they need is missing.
  const context = {
    version: "0.0.0",
    baseUrl: BASE,
    importEnabled: false,
    initialImportMode: false,
    dateEquality: "contain",
    database,
    logger: openLogger("error", "test"),
  } as unknown as HttpContext & { dateEquality: HttpContext["dateEquality"] };
  const app = createApp(context);
  const load = (versions: readonly TestVersion[], live = true): Promise<void> =>
    loadVersions(
      database.pool,
      (resource, sink) => indexer.index(resourceTypeId(resource["resourceType"] as string) ?? 0, resource, sink),
      versions,
      live,
    );
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    answer(await app.inject({ method: "GET", url: `/fhir${path}`, headers }));
  return {
    database,
    setDateEquality: (rule) => {
      context.dateEquality = rule;
    },
    load,
    loadLive: (...resources) => load(resources.map((resource) => ({ resource }))),
    get,
    post: async (path, form, contentType = "application/x-www-form-urlencoded") =>
      answer(
        await app.inject({
          method: "POST",
          url: `/fhir${path}`,
          headers: { "content-type": contentType },
          payload: form,
        }),
      ),
    async ids(path, headers) {
      const { status, body, text } = await get(path, headers);
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      return matchesOf(body)
        .map((resource) => resource["id"] as string)
        .toSorted();
    },
    async close() {
      await app.close();
      await database.drop();
    },
  };
}

/** The resources of a searchset's matches, in their order. */
export function matchesOf(bundle: JsonObject): JsonObject[] {
  return entriesOf(bundle)
    .filter((entry) => (entry["search"] as JsonObject)["mode"] === "match")
    .map((entry) => entry["resource"] as JsonObject);
}

/** The entries of a Bundle. */
export function entriesOf(bundle: JsonObject): JsonObject[] {
  return (bundle["entry"] ?? []) as JsonObject[];
}

/** The URL of a link, below the base. */
export function linkOf(bundle: JsonObject, relation: string): string | undefined {
  const link = (bundle["link"] as JsonObject[]).find((each) => each["relation"] === relation);
  return link === undefined ? undefined : (link["url"] as string).slice(BASE.length);
}

function answer(response: { statusCode: number; headers: object; payload: string }): Answer {
  const { statusCode, headers, payload } = response;
  const body = payload.startsWith("{") ? (JSON.parse(payload) as JsonObject) : {};
  return { status: statusCode, headers: { ...headers }, text: payload, body };
}

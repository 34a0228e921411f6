import type { JsonObject } from "../../base/json.ts";
import { readBodies } from "../../store/resources/body.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { readHistory, type HistoryPosition, type HistoryVersion } from "../../store/resources/history.ts";
import { bundleBytes, type Entry } from "../answer/bundle.ts";
import { readSnapshot, takeRoom, type ReadContext } from "../context/context.ts";
import {
  readHistoryCursor,
  readWideHistoryCursor,
  writeHistoryCursor,
  type WideHistoryPosition,
} from "../execute/cursor.ts";
import { countWideHistory, estimateWideHistory, readWideHistory } from "./history-page.ts";
import { parseHistoryQuery, type HistoryQuery, type HistoryRequest } from "./history-query.ts";
import { queryUrl, type BundleAnswer, type PageLink } from "../answer/links.ts";
import { fittingCount } from "../execute/page-rows.ts";
import { servedBody } from "../answer/served-body.ts";
import { shaped, type Shape } from "../projection/shape.ts";

/**
 * The history of a resource, of a type or of the system as a Bundle in bytes (contract 5.6, 10.1; R4 http.html#history);
 * undefined when the resource was never stored. Throws what {@link parseHistoryQuery} throws, and `too-costly`.
 */
export async function history(context: ReadContext, request: HistoryRequest): Promise<BundleAnswer | undefined> {
  const { type, id } = request;
  const query = parseHistoryQuery(request);
  const read = type !== undefined && id !== undefined ? instanceReader(query, type, id) : wideReader(query);
  const found = await readSnapshot(context, async (client) => {
    const part = await read(client);
    if (part === undefined) return undefined;
    const lengths = part.versions.map(({ version }) => (version.deleted ? 0 : version.place.length));
    const page = part.versions.slice(0, fittingCount(lengths, query.count));
    const live = page.flatMap(({ version }) => (version.deleted ? [] : [version]));
    await takeRoom(
      context,
      live.reduce((sum, { place }) => sum + place.length, 0),
    );
    const bodies = await readBodies(
      client,
      context.blocks,
      live.map((version) => version.place),
    );
    return { ...part, page, bodies: new Map(live.map((version, index) => [version, bodies[index]])) };
  });
  if (found === undefined) return undefined;
  const { versions, page, total, bodies } = found;
  const path = [type, id, "_history"].filter((part) => part !== undefined).join("/");
  const links: PageLink[] = [{ relation: "self", url: queryUrl(context.baseUrl, path, query.used) }];
  const last = page.at(-1);
  const isNext = last !== undefined && versions.length > page.length;
  const others = query.used.filter(([name]) => name !== "_cursor");
  if (isNext || query.cursor !== undefined) {
    links.push({ relation: "first", url: queryUrl(context.baseUrl, path, others) });
  }
  if (isNext) {
    const next = queryUrl(context.baseUrl, path, [...others, ["_cursor", writeHistoryCursor(last.position)]]);
    links.push({ relation: "next", url: next });
  }
  const entries = page.map(({ version }) => historyEntry(context.baseUrl, version, bodies.get(version), query.shape));
  const bytes = bundleBytes({ type: "history", ...(total === undefined ? {} : { total }), links, entries });
  return { bytes, links };
}

/** A part of a history: one version more than a page has, if there is one. */
interface Part {
  total: number | undefined;
  versions: { version: HistoryVersion; position: HistoryPosition | WideHistoryPosition }[];
}

type Reader = (db: Queryable) => Promise<Part | undefined>;

function instanceReader({ count, since, at, cursor }: HistoryQuery, type: string, id: string): Reader {
  const after = cursor === undefined ? undefined : readHistoryCursor(cursor);
  return async (db) => {
    const { known, total, versions } = await readHistory(db, type, id, { count: count + 1, after, since, at });
    if (!known) return undefined;
    return { total, versions: versions.map((version) => ({ version, position: positionOf(version) })) };
  };
}

function positionOf({ lastUpdated, versionId }: HistoryVersion): HistoryPosition {
  return { lastUpdated, versionId };
}

function wideReader(query: HistoryQuery): Reader {
  const { count, cursor } = query;
  const after = cursor === undefined ? undefined : readWideHistoryCursor(cursor);
  return async (db) => {
    let total: number | undefined;
    if (query.total === "accurate" || count === 0) total = await countWideHistory(db, query);
    else if (query.total === "estimate") total = await estimateWideHistory(db, query);
    if (count === 0) return { total, versions: [] };
    const versions = await readWideHistory(db, query, after, count + 1);
    return { total, versions: versions.map(({ version, ...position }) => ({ version, position })) };
  };
}

function historyEntry(
  baseUrl: string,
  version: HistoryVersion,
  body: Buffer = Buffer.alloc(0),
  shape: Shape | undefined,
): Entry {
  const { type, id, versionId, lastUpdated, deleted, isCreate } = version;
  const url = `${type}/${id}`;
  const response = { etag: `W/"${versionId}"`, lastModified: new Date(lastUpdated).toISOString() };
  const fullUrl = `${baseUrl}/${url}`;
  if (deleted) {
    return { fullUrl, rest: { request: { method: "DELETE", url }, response: { status: "204", ...response } } };
  }
  const request: JsonObject = isCreate ? { method: "POST", url: type } : { method: "PUT", url };
  const status = versionId === 1 ? "201 Created" : "200 OK";
  const served = servedBody(version, body);
  return {
    fullUrl,
    resource: shape === undefined ? served : shaped(served, type, shape),
    rest: { request, response: { status, ...response } },
  };
}

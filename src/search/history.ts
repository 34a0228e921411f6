import { readBodies } from "../store/body.ts";
import { readHistory, type StoredVersion } from "../store/read.ts";
import { bundleBytes, type Entry } from "./bundle.ts";
import { readSnapshot, type ReadContext } from "./context.ts";
import { DEFAULT_COUNT, parseCount } from "./control.ts";
import { readHistoryCursor, writeHistoryCursor } from "./cursor.ts";
import { queryUrl } from "./links.ts";
import { fittingCount } from "./page.ts";
import { servedBody } from "./search.ts";
import { malformed, parseDate } from "./values.ts";

/** A history as it was asked for. */
export interface HistoryRequest {
  /** A resource type of R4. */
  type: string;
  id: string;
  /** `_count`, `_since` and `_cursor`; others have no effect. */
  parameters: readonly (readonly [name: string, value: string])[];
}

/**
 * A resource's history as a Bundle in bytes (contract 5.6, 10.1); undefined when it was never stored. Throws
 * `bad-request` on parameters that make no sense.
 */
export async function history(context: ReadContext, request: HistoryRequest): Promise<Buffer | undefined> {
  const { type, id } = request;
  const used = request.parameters.filter(([name]) => USED.has(name));
  const value = (name: string): string | undefined => used.find(([used]) => used === name)?.[1];
  const count = value("_count");
  const cursor = value("_cursor");
  const since = value("_since");
  const limit = count === undefined ? DEFAULT_COUNT : parseCount(count);
  const { found, page, bodies } = await readSnapshot(context, async (client) => {
    const found = await readHistory(client, type, id, {
      count: limit + 1,
      ...(cursor === undefined ? {} : { after: readHistoryCursor(cursor) }),
      ...(since === undefined ? {} : { since: parseSince(since) }),
    });
    const lengths = found.versions.map((version) => (version.deleted ? 0 : version.place.length));
    const page = found.versions.slice(0, fittingCount(lengths, limit));
    const live = page.filter((version) => !version.deleted);
    const read = await readBodies(
      client,
      context.blocks,
      live.map((version) => version.place),
    );
    return { found, page, bodies: new Map(live.map((version, index) => [version, read[index]])) };
  });
  if (!found.known) return undefined;
  const path = `${type}/${id}/_history`;
  const links: { relation: "self" | "next"; url: string }[] = [
    { relation: "self", url: queryUrl(context.baseUrl, path, used) },
  ];
  const last = page.at(-1);
  if (last !== undefined && found.versions.length > page.length) {
    const others = used.filter(([name]) => name !== "_cursor");
    const next = queryUrl(context.baseUrl, path, [...others, ["_cursor", writeHistoryCursor(last)]]);
    links.push({ relation: "next", url: next });
  }
  const entries = page.map((version) => historyEntry(context.baseUrl, version, bodies.get(version)));
  return bundleBytes({ type: "history", total: found.total, links, entries });
}

const USED: ReadonlySet<string> = new Set(["_count", "_since", "_cursor"]);

/** The first millisecond of `_since`. */
function parseSince(text: string): number {
  const { prefix, low } = parseDate(text, { name: "_since", baseUrl: "" });
  if (prefix !== "eq" || /^[a-z]/.test(text)) throw malformed({ name: "_since" }, "a date without a prefix is needed");
  return Number(low / 10_000n);
}

function historyEntry(baseUrl: string, version: StoredVersion, body: Buffer | undefined): Entry {
  const url = `${version.type}/${version.id}`;
  const response = {
    etag: `W/"${version.versionId}"`,
    lastModified: new Date(version.lastUpdated).toISOString(),
  };
  if (version.deleted) {
    return {
      fullUrl: `${baseUrl}/${url}`,
      rest: { request: { method: "DELETE", url }, response: { status: "204", ...response } },
    };
  }
  const status = version.versionId === 1 ? "201 Created" : "200 OK";
  return {
    fullUrl: `${baseUrl}/${url}`,
    resource: servedBody(version, body ?? Buffer.alloc(0)),
    rest: { request: { method: "PUT", url }, response: { status, ...response } },
  };
}

import type { JsonObject } from "../../base/json.ts";
import type { PageLink } from "./links.ts";

/** A Bundle before it is bytes. */
export interface BundleParts {
  type: "searchset" | "history";
  total?: number;
  links: readonly PageLink[];
  entries: readonly Entry[];
}

/** An entry: the resource as bytes that are not touched, the rest as JSON. */
export interface Entry {
  fullUrl?: string;
  resource?: Buffer;
  /** `search`, or `request` and `response`. */
  rest: JsonObject;
}

/**
 * The Bundle as bytes. Resources are copied in as they are: parsing and printing them again would change their numbers
 * (`1.0` is not `1`) and take most of the time.
 */
export function bundleBytes({ type, total, links, entries }: BundleParts): Buffer {
  const head: JsonObject = { resourceType: "Bundle", type };
  if (total !== undefined) head["total"] = total;
  head["link"] = links.map(({ relation, url }) => ({ relation, url }));
  const pieces: Buffer[] = [Buffer.from(JSON.stringify(head).slice(0, -1))];
  for (const [index, entry] of entries.entries()) {
    pieces.push(index === 0 ? ENTRIES : COMMA, ...entryBytes(entry));
  }
  pieces.push(entries.length === 0 ? END : END_OF_ENTRIES);
  return Buffer.concat(pieces);
}

function entryBytes({ fullUrl, resource, rest }: Entry): Buffer[] {
  const before = fullUrl === undefined ? "{" : `{"fullUrl":${JSON.stringify(fullUrl)},`;
  const after = JSON.stringify(rest).slice(1);
  if (resource === undefined) return [Buffer.from(before + after)];
  return [Buffer.from(`${before}"resource":`), resource, Buffer.from(`,${after}`)];
}

const ENTRIES = Buffer.from(',"entry":[');
const COMMA = Buffer.from(",");
const END_OF_ENTRIES = Buffer.from("]}");
const END = Buffer.from("}");

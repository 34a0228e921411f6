import { hash } from "node:crypto";
import { hashPair, type Int64Halves } from "../base/hash.ts";
import type { JsonValue } from "../base/json.ts";
import { cutsFor, isArrayAt, isObjectAt, itemsAt, membersAt, soleMember, spliced } from "./json-bytes.ts";
import type { JsonRange, JsonMember, Splice } from "./json-bytes.ts";
import { instantMilliseconds } from "./primitives.ts";
import { hasMarkerUrl, SOFT_DELETE_URL } from "./soft-delete.ts";

const QUOTED_META: Buffer = Buffer.from('meta"');

/**
 * Work on `meta` in the bytes of a resource; everything outside of it stays byte for byte. All functions expect bytes
 * of a JSON object that passed the check. Where a member comes twice, the last counts, as in `JSON.parse`.
 */

/**
 * The body to store of a soft-deleted line: without all extensions on `meta` that have the marker's URL (contract
 * 5.6), without an `extension` array or a `meta` that this leaves empty.
 */
export function storedBody(line: Buffer): Buffer {
  const members = membersAt(line, 0);
  const meta = lastNamed(members, "meta");
  if (meta === undefined || !isObjectAt(line, meta.valueStart)) return line;
  const metaMembers = membersAt(line, meta.valueStart);
  const extension = lastNamed(metaMembers, "extension");
  if (extension === undefined || !isArrayAt(line, extension.valueStart)) return line;
  const items = itemsAt(line, extension.valueStart);
  const marked = new Set(items.filter((item) => hasMarkerUrl(valueOf(line, item.start, item.end))));
  if (marked.size === 0) return line;
  if (marked.size < items.length) return without(line, items, (item) => marked.has(item));
  if (metaMembers.some((member) => member.name !== "extension")) {
    return without(line, metaMembers, (member) => member.name === "extension");
  }
  return without(line, members, (member) => member.name === "meta");
}

/**
 * Signed 64-bit identity of a body's content: the store's keyed hash of the SHA-256 of its bytes without `meta.versionId` and
 * `meta.lastUpdated` (contract 5.4 (b)): nobody can prepare two contents with one identity. A `meta` of nothing but those counts as no `meta`. White space and the order of
 * members are content. `hasMetaVersion` tells whether either of the two is there; when not, nothing is scanned
 * (1.7 µs for 1.4 kB).
 */
export function contentHash(body: Buffer, hasMetaVersion: boolean): bigint {
  const content = hasMetaVersion ? withoutMetaVersion(body) : body;
  const digest = hash("sha256", content, "buffer");
  const out = { high: 0, low: 0 };
  hashPair(halvesAt(digest, 0), halvesAt(digest, 8), CONTENT, out);
  digest.writeInt32BE(out.high, 0);
  digest.writeInt32BE(out.low, 4);
  return digest.readBigInt64BE(0);
}

/** Separates contents from all else that is hashed: see `search-value.ts`. */
const CONTENT = 0x7a14;

function halvesAt(digest: Buffer, at: number): Int64Halves {
  return { high: digest.readInt32LE(at), low: digest.readInt32LE(at + 4) };
}

/**
 * The body as it is served: `meta.versionId` is `versionId` as text, `meta.lastUpdated` the instant `lastUpdated`
 * (milliseconds since 1970). The body's own text of lastUpdated is kept when it means that instant, so that a
 * client's `+10:00` comes back (contract C-042), but for digits after the milliseconds (C-041); `meta` is made where there is none.
 */
export function withMeta(body: Buffer, versionId: number, lastUpdated: number): Buffer {
  const version = `"${versionId}"`;
  const quick = soleMember(body, "meta", QUOTED_META);
  const meta = quick === undefined ? lastNamed(membersAt(body, 0), "meta") : (quick ?? undefined);
  if (meta === undefined || !isObjectAt(body, meta.valueStart)) {
    const value = `{"versionId":${version},"lastUpdated":"${new Date(lastUpdated).toISOString()}"}`;
    if (meta !== undefined) return spliced(body, [{ start: meta.valueStart, end: meta.end, by: Buffer.from(value) }]);
    return spliced(body, [insertion(body, `"meta":${value}`)]);
  }
  const metaMembers = membersAt(body, meta.valueStart);
  if (!metaMembers.some(isMetaVersion)) {
    // Nothing to replace, as mostly: one piece of text more.
    const comma = metaMembers.length > 0 ? "," : "";
    const text = `"versionId":${version},"lastUpdated":"${new Date(lastUpdated).toISOString()}"${comma}`;
    return withText(body, metaMembers[0]?.start ?? meta.valueStart + 1, text);
  }
  const splices: Splice[] = [];
  const missing: string[] = [];
  const replace = (name: string, text: (member: JsonMember | undefined) => string): void => {
    const last = lastNamed(metaMembers, name);
    const by = Buffer.from(text(last));
    if (last === undefined) missing.push(`"${name}":${by.toString()}`);
    for (const member of metaMembers) {
      if (member.name === name) splices.push({ start: member.valueStart, end: member.end, by });
    }
  };
  replace("versionId", () => version);
  replace("lastUpdated", (member) => dateText(body, member, lastUpdated));
  if (missing.length > 0) {
    const at = metaMembers[0]?.start ?? meta.valueStart + 1;
    const comma = metaMembers.length > 0 ? "," : "";
    splices.push({ start: at, end: at, by: Buffer.from(missing.join(",") + comma) });
  }
  return spliced(
    body,
    splices.toSorted((a, b) => a.start - b.start),
  );
}

/**
 * A resource with the marker of a soft delete as the last extension of its `meta`: what an import reads as a deleted version
 * (contract 5.6). `served` has a `meta` object, as {@link withMeta} makes it.
 */
export function withDeletedMarker(served: Buffer): Buffer {
  const meta = lastNamed(membersAt(served, 0), "meta");
  if (meta === undefined) return served;
  const members = membersAt(served, meta.valueStart);
  const marker = JSON.stringify({ url: SOFT_DELETE_URL, valueString: "soft-deleted" });
  const extension = lastNamed(members, "extension");
  if (extension !== undefined && isArrayAt(served, extension.valueStart)) {
    const last = itemsAt(served, extension.valueStart).at(-1);
    const at = last?.end ?? extension.valueStart + 1;
    const by = Buffer.from(last === undefined ? marker : `,${marker}`);
    return spliced(served, [{ start: at, end: at, by }]);
  }
  const at = members.at(-1)?.end ?? meta.valueStart + 1;
  const comma = members.length > 0 ? "," : "";
  return spliced(served, [{ start: at, end: at, by: Buffer.from(`${comma}"extension":[${marker}]`) }]);
}

/** The JSON text of `meta.lastUpdated`: the body's own where it means this instant, cut to milliseconds (C-041). */
function dateText(body: Buffer, own: JsonMember | undefined, lastUpdated: number): string {
  if (own !== undefined) {
    const value = valueOf(body, own.valueStart, own.end);
    if (typeof value === "string" && instantMilliseconds(value) === lastUpdated) {
      return JSON.stringify(value.replace(/(\.\d{3})\d+/, "$1"));
    }
  }
  return `"${new Date(lastUpdated).toISOString()}"`;
}

/** Puts a member behind `id`, else behind `resourceType`, else first. */
function insertion(body: Buffer, member: string): Splice {
  // Mostly the id is among the first, and the others need no look.
  let members = membersAt(body, 0, 3);
  if (lastNamed(members, "id") === undefined) members = membersAt(body, 0);
  const before = lastNamed(members, "id") ?? lastNamed(members, "resourceType");
  if (before !== undefined) return { start: before.end, end: before.end, by: Buffer.from(`,${member}`) };
  const at = members[0]?.start ?? body.indexOf("{") + 1;
  return { start: at, end: at, by: Buffer.from(members.length > 0 ? `${member},` : member) };
}

/** The bytes with an ASCII text put in at `at`. */
function withText(bytes: Buffer, at: number, text: string): Buffer {
  const out = Buffer.allocUnsafe(bytes.length + text.length);
  bytes.copy(out, 0, 0, at);
  out.write(text, at, "latin1");
  bytes.copy(out, at + text.length, at);
  return out;
}

function withoutMetaVersion(body: Buffer): Buffer {
  const members = membersAt(body, 0);
  const meta = lastNamed(members, "meta");
  if (meta === undefined || !isObjectAt(body, meta.valueStart)) return body;
  const metaMembers = membersAt(body, meta.valueStart);
  if (metaMembers.every(isMetaVersion)) return without(body, members, (member) => member.name === "meta");
  return without(body, metaMembers, isMetaVersion);
}

function isMetaVersion(member: JsonMember): boolean {
  return member.name === "versionId" || member.name === "lastUpdated";
}

function without<Range extends JsonRange>(bytes: Buffer, all: Range[], dropped: (range: Range) => boolean): Buffer {
  const nothing = new Uint8Array(0);
  return spliced(
    bytes,
    cutsFor(all, dropped).map((cut) => ({ ...cut, by: nothing })),
  );
}

function lastNamed(members: readonly JsonMember[], name: string): JsonMember | undefined {
  return members.findLast((member) => member.name === name);
}

function valueOf(bytes: Buffer, start: number, end: number): JsonValue {
  return JSON.parse(bytes.toString("utf8", start, end)) as JsonValue;
}

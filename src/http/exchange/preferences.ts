import { StokerError } from "../../base/errors.ts";

/** What a write answers with (`Prefer: return=…`). */
export type Return = "minimal" | "representation" | "OperationOutcome";

/** The `return` preference among others; what is none of the three is left out of account. */
export function returnPreference(prefer: string | readonly string[] | undefined): Return | undefined {
  for (const header of [prefer ?? []].flat()) {
    const match = /(?:^|[,;\s])return\s*=\s*"?(minimal|representation|operationoutcome)"?(?:$|[,;\s])/i.exec(header);
    const word = match?.[1]?.toLowerCase();
    if (word === "minimal" || word === "representation") return word;
    if (word === "operationoutcome") return "OperationOutcome";
  }
  return undefined;
}

/** `Prefer: handling=strict`, among other preferences. */
export function isStrict(prefer: string | readonly string[] | undefined): boolean {
  return [prefer ?? []].flat().some((header) => /(?:^|[,;\s])handling\s*=\s*"?strict"?(?:$|[,;\s])/i.test(header));
}

/** The ETag of a version. */
export function etagOf(versionId: number): string {
  return `W/"${versionId}"`;
}

/**
 * The version numbers in `If-Match`: `W/"3"`, `"3"` or `3`, several with commas; `*` for any. Throws `bad-request` on
 * anything else: a precondition that was not understood must not pass.
 */
export function parseIfMatch(header: string): ReadonlySet<number> | "*" {
  if (header.trim() === "*") return "*";
  const versions = new Set<number>();
  for (const tag of header.split(",")) {
    const match = /^\s*(?:(?:W\/)?"(-?\d{1,10})"|(-?\d{1,10}))\s*$/i.exec(tag);
    if (match === null) throw new StokerError("bad-request", 'If-Match must be the ETag of a version, such as W/"3".');
    versions.add(Number(match[1] ?? match[2]));
  }
  return versions;
}

/** Whether `If-None-Match` names an ETag, weak or not; `opaque` without quotes. */
export function hasTag(ifNoneMatch: string | undefined, opaque: string): boolean {
  return (ifNoneMatch ?? "").split(",").some((tag) => {
    const trimmed = tag.trim();
    return trimmed === "*" || trimmed === `"${opaque}"` || trimmed === `W/"${opaque}"`;
  });
}

/** The headers that make reading conditional. */
export interface ReadConditions {
  "if-none-match"?: string | undefined;
  "if-modified-since"?: string | undefined;
}

/**
 * Whether the client has this version already, for 304 (RFC 9110, 13.2.2): `If-None-Match` decides where it is there, and
 * only else `If-Modified-Since`, which is in whole seconds.
 */
export function isNotModified(headers: ReadConditions, versionId: number, lastUpdated: number): boolean {
  const tags = headers["if-none-match"];
  if (tags !== undefined) return hasTag(tags, String(versionId));
  const since = Date.parse(headers["if-modified-since"] ?? "");
  return !Number.isNaN(since) && Math.floor(lastUpdated / 1000) * 1000 <= since;
}

import { hasTag } from "../../write/interactions/etag.ts";
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

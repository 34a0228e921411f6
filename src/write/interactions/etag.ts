import { StokerError } from "../../base/errors.ts";

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

/** The ETag of a version. */
export function etagOf(versionId: number): string {
  return `W/"${versionId}"`;
}

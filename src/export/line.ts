import { withDeletedMarker, withMeta } from "../fhir/meta-bytes.ts";
import { shaped } from "../search/projection/shape.ts";
import type { UnitItem } from "./unit-rows.ts";

/**
 * The line of a version, without its end: the stored bytes with `meta.versionId` and `meta.lastUpdated`; a deleted version
 * with the marker of a soft delete, so that an import makes the same version of it (contract 5.6). With `elements` only
 * those of the first level.
 */
export function exportedLine(body: Buffer, version: UnitItem, elements: readonly string[] | undefined): Buffer {
  const { type, id, versionId, lastUpdated, deleted } = version;
  const stored = body.length > 0 ? onOneLine(body) : Buffer.from(JSON.stringify({ resourceType: type, id }));
  const served = withMeta(stored, versionId, lastUpdated);
  if (deleted) return withDeletedMarker(served);
  return elements === undefined ? served : shaped(served, type, elements);
}

/** A body that was written by API may have line ends between its tokens; inside of strings JSON allows none. */
function onOneLine(body: Buffer): Buffer {
  if (!body.includes(LINE_FEED) && !body.includes(CARRIAGE_RETURN)) return body;
  return Buffer.from(body.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte)));
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;

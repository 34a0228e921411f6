import { withMeta } from "../../fhir/meta-bytes.ts";
import type { StoredVersion } from "../../store/resources/read.ts";

/** The stored body with its version and date, as it is served. */
export function servedBody(version: StoredVersion, body: Buffer): Buffer {
  return withMeta(body, version.versionId, version.lastUpdated);
}

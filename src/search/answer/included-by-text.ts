import type { JsonValue } from "../../base/json.ts";
import { canonicalKeyOf } from "../../fhir/canonical-value.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { readVersion, type StoredVersion } from "../../store/resources/read.ts";
import { type Queryable } from "../../postgres/pool.ts";
import { targetsOf } from "../condition/reference-link.ts";
import { objectIn } from "../../fhir/json-members.ts";
import { parametersOfInclude, type Include } from "../parse/include.ts";
import { referencesIn } from "./body-references.ts";
import type { CanonicalTargets } from "./included-canonicals.ts";

/** A version of a resource with its body, whose references are followed. */
export interface TextSource {
  version: StoredVersion;
  body: Buffer;
}

/** What resources refer to, by their own text. */
export interface TextTargets {
  /** Current versions. */
  keys: Set<bigint>;
  /** Versions that are meant by themselves, by their names. */
  versions: Map<string, { type: string; id: string; version: string }>;
  canonicals: CanonicalTargets[];
}

/** Whether a resource may refer to versions of others. */
export function mayNameVersions(body: Buffer): boolean {
  return body.includes("/_history/");
}

/** What the resources refer to by the forward includes. */
export function targetsInText(
  includes: readonly Include[],
  sources: readonly TextSource[],
  baseUrl: string,
): TextTargets {
  const found: TextTargets = { keys: new Set(), versions: new Map(), canonicals: [] };
  for (const { version: source, body } of sources) {
    const resource = objectIn(JSON.parse(body.toString("utf8")) as JsonValue);
    if (resource === undefined) continue;
    for (const include of includes) {
      for (const parameter of parametersOfInclude(include, source.type)) {
        const targets = targetsOf(parameter).filter((type) => include.targets?.includes(type) ?? true);
        for (const reference of referencesIn(resource, source.type, parameter, baseUrl)) {
          if (reference.kind === "canonical") {
            const { url, version } = reference;
            const own = version === undefined ? "url" : "url|version";
            const key = canonicalKeyOf(version === undefined ? url : `${url}|${version}`);
            found.canonicals.push({ own, key, targets });
          } else if (targets.includes(reference.type)) {
            const { type, id, version } = reference;
            if (version === undefined) found.keys.add(resourceKeyOf(type, id));
            else found.versions.set(`${type}/${id}/_history/${version}`, { type, id, version });
          }
        }
      }
    }
  }
  return found;
}

/** The versions that are stored, and the names of those that are not, or are deletions. */
export async function readVersions(
  db: Queryable,
  wanted: TextTargets["versions"],
): Promise<{ stored: StoredVersion[]; missing: string[] }> {
  const stored: StoredVersion[] = [];
  const missing: string[] = [];
  for (const [name, { type, id, version }] of wanted) {
    const number = /^-?[1-9]\d{0,8}$/.test(version) ? Number(version) : undefined;
    const found = number === undefined ? undefined : await readVersion(db, type, id, number);
    if (found === undefined || found.deleted) missing.push(name);
    else stored.push(found);
  }
  return { stored, missing };
}

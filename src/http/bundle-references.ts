import { StokerError } from "../base/errors.ts";
import type { Splice } from "../fhir/json-bytes.ts";
import { eachStringValue } from "../fhir/json-strings.ts";
import { withSplices, type CheckedBody } from "../import/checked-body.ts";

/** A string in the bytes of a resource that may have to be replaced. */
interface Place {
  start: number;
  end: number;
  text: string;
  /** It is a Reference's `reference`, not another uri. */
  isReference: boolean;
}

/** What an entry of a transaction refers to. */
export interface EntryReferences {
  places: readonly Place[];
  /** Its conditional references, `Type?query`. */
  conditional: readonly string[];
}

const URI_NAMES = /^(?:url|uri|instantiates)$|(?:Uri|Url|Uuid|Oid|Canonical)$/;
const CONDITIONAL = /^[A-Z][A-Za-z]+\?./;

/** Finds the references and uris of a resource (http://hl7.org/fhir/R4/http.html#trules). */
export function referencesOf(bytes: Buffer): EntryReferences {
  const places: Place[] = [];
  const conditional: string[] = [];
  eachStringValue(bytes, (name, start, end) => {
    const isReference = name === "reference";
    if (!isReference && !URI_NAMES.test(name)) return;
    const text = JSON.parse(bytes.toString("utf8", start, end)) as string;
    places.push({ start, end, text, isReference });
    if (isReference && CONDITIONAL.test(text)) conditional.push(text);
  });
  return { places, conditional };
}

/**
 * The body with its references to other entries, and its conditional ones, replaced by `Type/id`; all other bytes
 * untouched. `targets` holds what they are replaced by: by an entry's `fullUrl`, and by `Type?query`. A relative reference
 * in an entry with a `fullUrl` of another server means that server's resource. Throws `bad-request` for a reference to an
 * entry that the Bundle does not have.
 */
export function resolveReferences<Body extends CheckedBody>(
  body: Body,
  { places }: EntryReferences,
  fullUrl: string | undefined,
  targets: ReadonlyMap<string, string>,
): Body {
  const root = rootOf(fullUrl, body.type);
  const splices: Splice[] = [];
  for (const { start, end, text, isReference } of places) {
    const target =
      targets.get(text) ?? (isReference && root !== undefined ? targets.get(`${root}/${text}`) : undefined);
    if (target === undefined) {
      if (isReference && /^urn:(?:uuid|oid):/.test(text)) {
        throw new StokerError("bad-request", `The reference ${text.slice(0, 80)} is to no entry of the Bundle.`, {
          issue: "not-found",
        });
      }
    } else if (target !== text) {
      splices.push({ start, end, by: Buffer.from(JSON.stringify(target)) });
    }
  }
  return withSplices(body, splices);
}

/** `http://other/fhir` of `http://other/fhir/Patient/1`. */
function rootOf(fullUrl: string | undefined, type: string): string | undefined {
  const at = fullUrl?.lastIndexOf(`/${type}/`) ?? -1;
  return fullUrl !== undefined && at > 0 && /^https?:/.test(fullUrl) ? fullUrl.slice(0, at) : undefined;
}

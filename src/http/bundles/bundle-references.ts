import { StokerError } from "../../base/errors.ts";
import type { Splice } from "../../fhir/json-bytes.ts";
import { eachStringValue } from "../../fhir/json-strings.ts";
import { withSplices, type CheckedBody } from "../../write/check-body/checked-body.ts";

/** A string in the bytes of a resource that may have to be replaced. */
interface Place {
  start: number;
  end: number;
  text: string;
  /** A Reference's `reference`, another uri, or the XHTML of a narrative. */
  kind: "reference" | "uri" | "narrative";
}

/** What an entry of a transaction refers to. */
export interface EntryReferences {
  places: readonly Place[];
  /** Its conditional references, `Type?query`; the query may be empty, and then finds nothing. */
  conditional: readonly string[];
}

/** Elements of type canonical are none of them: these are not replaced. */
const URI_NAMES = /^(?:url|uri)$|(?:Uri|Url|Uuid|Oid)$/;
/** Links in a narrative. */
const LINK = /(\s(?:href|src)\s*=\s*)(["'])(.*?)\2/g;
const CONDITIONAL = /^[A-Z][A-Za-z]+\?/;

/** Finds the references, uris and narratives with links of a resource (http://hl7.org/fhir/R4/http.html#trules). */
export function referencesOf(bytes: Buffer): EntryReferences {
  const places: Place[] = [];
  const conditional: string[] = [];
  eachStringValue(bytes, (name, start, end) => {
    const kind = kindOf(name);
    if (kind === undefined) return;
    if (kind === "narrative" && !["href", "src"].some((link) => bytes.subarray(start, end).includes(link))) return;
    const text = JSON.parse(bytes.toString("utf8", start, end)) as string;
    places.push({ start, end, text, kind });
    if (kind === "reference" && CONDITIONAL.test(text)) conditional.push(text);
  });
  return { places, conditional };
}

function kindOf(name: string): Place["kind"] | undefined {
  if (name === "reference") return "reference";
  if (name === "div") return "narrative";
  return URI_NAMES.test(name) ? "uri" : undefined;
}

/**
 * The body with its references to other entries, and its conditional ones, replaced by `Type/id`; all other bytes
 * untouched. `targets` holds what they are replaced by: by an entry's `fullUrl`, and by `Type?query`. A relative reference
 * in an entry with a `fullUrl` of another server means that server's resource. Throws `bad-request` for a reference to an
 * entry that the Bundle does not have, but where the resource is a Bundle itself: its references are to its own entries.
 */
export function resolveReferences<Body extends CheckedBody>(
  body: Body,
  { places }: EntryReferences,
  fullUrl: string | undefined,
  targets: ReadonlyMap<string, string>,
): Body {
  const root = rootOf(fullUrl, body.type);
  const linked = (text: string): string | undefined =>
    targets.get(text) ?? (root === undefined ? undefined : targets.get(`${root}/${text}`));
  const splices: Splice[] = [];
  for (const { start, end, text, kind } of places) {
    const target = kind === "reference" ? linked(text) : kind === "uri" ? targets.get(text) : withLinks(text, linked);
    if (target === undefined) {
      if (kind === "reference" && body.type !== "Bundle" && /^urn:(?:uuid|oid):/.test(text)) {
        throw new StokerError(
          "bad-request",
          `The reference ${text.slice(0, 80)} does not match an entry of the Bundle.`,
          {
            issue: "not-found",
          },
        );
      }
    } else if (target !== text) {
      splices.push({ start, end, by: Buffer.from(JSON.stringify(target)) });
    }
  }
  return withSplices(body, splices);
}

/** The XHTML with its links replaced; ids and types have nothing in them that would have to be escaped. */
function withLinks(xhtml: string, linked: (text: string) => string | undefined): string {
  return xhtml.replace(LINK, (whole: string, before: string, quote: string, link: string) => {
    const target = linked(link.replaceAll("&amp;", "&"));
    return target === undefined ? whole : `${before}${quote}${target}${quote}`;
  });
}

/** `http://other/fhir` of `http://other/fhir/Patient/1`. */
function rootOf(fullUrl: string | undefined, type: string): string | undefined {
  const at = fullUrl?.lastIndexOf(`/${type}/`) ?? -1;
  return fullUrl !== undefined && at > 0 && /^https?:/.test(fullUrl) ? fullUrl.slice(0, at) : undefined;
}

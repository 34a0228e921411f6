import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { CanonicalValue, ReferenceValue } from "../criteria/criteria.ts";
import { splitEscaped, unescape } from "../criteria/escape.ts";
import { BARE_ID, malformed, type ValueContext } from "../criteria/value-context.ts";

/**
 * A reference (contract 10.7): `Type/id`, a bare id, or a URL; those below the own base are relative in truth. With
 * `/_history/…` one version is meant, and with `|version` a canonical of that version (R4 search, 3.1.1.4.12 and 13).
 * `types` are those that the parameter may refer to. Throws `bad-request` for a value of another type than the modifier names, and
 * for a version alone.
 */
export function parseReference(raw: string, types: readonly string[], context: ValueContext): ReferenceValue {
  if (CONDITIONAL.test(raw)) return ofTexts([unescape(raw)]);
  const [first = "", ...rest] = splitEscaped(raw, "|");
  const text = unescape(first);
  const version = unescape(rest.join("|"));
  if (text === "") throw malformed(context, "a reference is needed before the |");
  if (version !== "") return versionedCanonical(text, version, types, context);
  const own = `${context.baseUrl}/`;
  const relative = text.startsWith(own) ? text.slice(own.length) : text;
  const [, type = "", id = "", history = ""] = TYPED_REFERENCE.exec(relative) ?? [];
  if (resourceTypeId(type) !== undefined) {
    checkType(type, context);
    if (history !== "") return ofTexts([relative, `${own}${relative}`]);
    return { type: "reference", targets: [{ type, id }], texts: [`${own}${type}/${id}`] };
  }
  if (!BARE_ID.test(text)) {
    const [, named = ""] = RESOURCE_URL.exec(text) ?? [];
    if (resourceTypeId(named) === undefined) return { ...ofTexts([text]), canonicals: [{ url: text }] };
    checkType(named, context);
    return ofTexts([text]);
  }
  const possible = context.referenceType === undefined ? types : [context.referenceType];
  const urls = possible.map((each) => `${own}${each}/${text}`);
  return {
    type: "reference",
    targets: possible.map((each) => ({ type: each, id: text })),
    texts: context.referenceType === undefined ? [text, ...urls] : urls,
  };
}

function ofTexts(texts: readonly string[]): ReferenceValue {
  return { type: "reference", targets: [], texts };
}

/** References to resources here are written in two ways, with a version, too. */
function versionedCanonical(
  text: string,
  version: string,
  types: readonly string[],
  context: ValueContext,
): ReferenceValue {
  const own = `${context.baseUrl}/`;
  const relative = text.startsWith(own) ? text.slice(own.length) : text;
  const [, type = ""] = TYPED_REFERENCE.exec(relative) ?? [];
  const possible = context.referenceType === undefined ? types : [context.referenceType];
  const isHere = resourceTypeId(type) !== undefined;
  if (isHere) checkType(type, context);
  const relatives = isHere ? [relative] : BARE_ID.test(text) ? possible.map((each) => `${each}/${text}`) : [];
  const urls = relatives.length === 0 ? [text] : relatives.flatMap((each) => [each, `${own}${each}`]);
  const canonicals = urls.map((url): CanonicalValue => ({ url, version }));
  return { type: "reference", targets: [], texts: [], canonicals };
}

function checkType(type: string, context: ValueContext): void {
  if (context.referenceType === undefined || context.referenceType === type) return;
  throw malformed(context, `the value refers to another type, ${type}`);
}

/** A reference by criteria that was stored as it is: the `|` in it separates a system from a code. */
const CONDITIONAL = /^[A-Za-z]+\?/;
const TYPED_REFERENCE = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(\/_history\/[A-Za-z0-9\-.]{1,64})?$/;
/** A URL of a resource on any server, or of one version of it. */
const RESOURCE_URL = /\/([A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;

import { foldString, joinedString, laterParts } from "../fhir/fold-text.ts";
import { equalityValue, EqualityForm, OTHER_FORM } from "../fhir/search-value.ts";
import { storableText } from "./storable-text.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitPresent, isObjectOrArray, isText, type ValueGroup } from "./value-group.ts";

/** string and markdown. */
export function emitString(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isText(value)) return;
  emitPresent(to, group);
  emitPart(to, group, value, group.isFamily);
}

/** HumanName: every part. */
export function emitHumanName(to: ValueCollector, group: ValueGroup, value: unknown): void {
  emitParts(to, group, value, NAME_PARTS);
}

/** Address: every part. */
export function emitAddress(to: ValueCollector, group: ValueGroup, value: unknown): void {
  emitParts(to, group, value, ADDRESS_PARTS);
}

const NAME_PARTS = ["family", "given", "prefix", "suffix", "text"];
const ADDRESS_PARTS = ["line", "city", "district", "state", "postalCode", "country", "text"];

function emitParts(to: ValueCollector, group: ValueGroup, value: unknown, names: readonly string[]): void {
  if (!isObjectOrArray(value)) return;
  emitPresent(to, group);
  for (const name of names) {
    const part = value[name];
    if (Array.isArray(part)) for (const each of part as unknown[]) emitPart(to, group, each, false);
    else emitPart(to, group, part, name === "family");
  }
}

/** A row and its exact number, once for each distinct string of the resource, and rows for its other forms. */
function emitPart(to: ValueCollector, group: ValueGroup, part: unknown, isFamily: boolean): void {
  if (!isText(part)) return;
  const text = storableText(part);
  if (text === "") return;
  const folded = foldString(text);
  // In a composite the rows alone count, once for each number of the other component.
  if (group.component) {
    for (const { id } of group.parameters) to.sink.string(id, text, folded);
    return;
  }
  let isNew = false;
  for (const { id } of group.parameters) {
    if (emitText(to, id, EqualityForm.stringExact, text, folded)) isNew = true;
  }
  // What is a family name may have been met before as something else.
  if (isNew || isFamily) emitOtherForms(to, group, text, isFamily);
}

function emitOtherForms(to: ValueCollector, group: ValueGroup, text: string, isFamily: boolean): void {
  const joined = joinedString(text);
  const later = isFamily ? laterParts(text) : [];
  if (joined === undefined && later.length === 0) return;
  to.sink.qualify(OTHER_FORM.high, OTHER_FORM.low);
  for (const { id } of group.parameters) {
    if (joined !== undefined) to.sink.string(id, text, joined);
    for (const end of later) to.sink.string(id, text, end);
  }
  to.sink.qualify(0, 0);
}

/** uri, url, canonical (contract 10.8); a canonical also without `|version`. */
export function emitUri(to: ValueCollector, group: ValueGroup, value: unknown): void {
  emitUris(to, group, value, false);
}

/** {@link emitUri} for canonicals. */
export function emitCanonicalUri(to: ValueCollector, group: ValueGroup, value: unknown): void {
  emitUris(to, group, value, true);
}

function emitUris(to: ValueCollector, group: ValueGroup, value: unknown, canonical: boolean): void {
  if (!isText(value)) return;
  const uri = storableText(value);
  if (uri === "") return;
  emitPresent(to, group);
  const version = canonical ? uri.indexOf("|") : -1;
  for (const { id } of group.parameters) {
    emitText(to, id, EqualityForm.uri, uri, uri);
    if (version > 0) emitText(to, id, EqualityForm.uri, uri.slice(0, version), uri.slice(0, version));
  }
}

/** Whether the resource did not have it yet. */
function emitText(to: ValueCollector, parameter: number, form: EqualityForm, text: string, folded: string): boolean {
  equalityValue(parameter, form, text, to.halves);
  if (!to.add(to.halves.high, to.halves.low)) return false;
  to.sink.equality(to.halves.high, to.halves.low);
  to.sink.string(parameter, text, folded);
  return true;
}

import { equalityValue, EqualityForm, foldString } from "../fhir/search-value.ts";
import { storableText } from "./storable-text.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitPresent, isObject, isText, type ValueGroup } from "./value-group.ts";

/** string and markdown. */
export function emitString(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isText(value)) return;
  emitPresent(to, group);
  emitPart(to, group, value);
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
  if (!isObject(value)) return;
  emitPresent(to, group);
  for (const name of names) {
    const part = value[name];
    if (Array.isArray(part)) for (const each of part as unknown[]) emitPart(to, group, each);
    else emitPart(to, group, part);
  }
}

/** A row and its exact number, once for each distinct string of the resource. */
function emitPart(to: ValueCollector, group: ValueGroup, part: unknown): void {
  if (!isText(part)) return;
  const text = storableText(part);
  if (text === "") return;
  const folded = foldString(text);
  // In a composite the rows alone count, once for each number of the other component.
  if (group.component) for (const { id } of group.parameters) to.sink.string(id, text, folded);
  else for (const { id } of group.parameters) emitText(to, id, EqualityForm.stringExact, text, folded);
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

function emitText(to: ValueCollector, parameter: number, form: EqualityForm, text: string, folded: string): void {
  equalityValue(parameter, form, text, to.halves);
  if (!to.add(to.halves.high, to.halves.low)) return;
  to.sink.equality(to.halves.high, to.halves.low);
  to.sink.string(parameter, text, folded);
}

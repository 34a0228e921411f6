import { foldCode, foldString } from "../fhir/fold-text.ts";
import {
  CODE_TERMS,
  codeTerm,
  codeTermValue,
  equalityValue,
  EqualityForm,
  LONGEST_SPELLED_CODE,
  MEDIA_TYPE_TERMS,
  mediaTypeValue,
} from "../fhir/search-value.ts";
import { codeOf, MEDIA_TYPES } from "../fhir/token-case.ts";
import { storableText } from "./storable-text.ts";
import type { CachedTerm, CachedToken } from "./value-cache.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitEquality, emitPresent, isObjectOrArray, isText, type ValueGroup } from "./value-group.ts";

/** CodeableConcept: every coding, and the texts. */
export function emitCodeableConcept(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const { coding, text } = value;
  emitPresent(to, group);
  let shown: unknown;
  if (Array.isArray(coding)) {
    for (const each of coding as unknown[]) {
      if (!isObjectOrArray(each)) continue;
      shown = each["display"];
      emitCodingOf(to, group, each, shown);
    }
  }
  if (text !== shown && isText(text)) emitTokenText(to, group, text);
}

/** Coding. */
export function emitCoding(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  emitPresent(to, group);
  emitCodingOf(to, group, value, value["display"]);
}

/** Identifier: its value is the code; its type is for `:of-type`. */
export function emitIdentifier(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const { system, type } = value;
  const code = value["value"];
  emitPresent(to, group);
  if (isText(system) || isText(code)) {
    // Most identifiers are unique: remembering them would only push codes out of the cache.
    const numbers = tokenNumbers(group, isText(system) ? system : "", isText(code) ? code : "", []);
    for (let index = 0; index < numbers.length; index += 2) to.equality(numbers[index] ?? 0, numbers[index + 1] ?? 0);
  }
  if (isObjectOrArray(type) && !group.component) emitIdentifierType(to, group, type, code);
}

/** ContactPoint: its value, a string; `system` is phone or email, not a namespace. */
export function emitContactPoint(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  emitPresent(to, group);
  if (isText(value["value"])) emitToken(to, group, "", value["value"]);
}

/** Primitive elements; a `code` has the code systems that its binding implies. */
export function emitPrimitiveToken(to: ValueCollector, group: ValueGroup, value: unknown): void {
  const code = typeof value === "boolean" ? String(value) : value;
  if (isText(code)) emitToken(to, group, "", code);
}

function emitCodingOf(to: ValueCollector, group: ValueGroup, coding: Record<string, unknown>, display: unknown): void {
  const { system, code } = coding;
  emitToken(to, group, isText(system) ? system : "", isText(code) ? code : "");
  if (isText(display)) emitTokenText(to, group, display);
}

/** The numbers of one (system, code), from the cache when it recurs, and once per resource. */
function emitToken(to: ValueCollector, group: ValueGroup, system: string, code: string): void {
  if (system === "" && code === "") return;
  let token = group.cache.find(system, code);
  if (token === undefined) {
    token = tokenOf(group, system, code);
    group.cache.keep(system, code, token);
  }
  if (!group.component) {
    if (token.resource === to.resource) return;
    token.resource = to.resource;
  }
  const { values, terms } = token;
  for (let index = 0; index < values.length; index += 2) to.equality(values[index] ?? 0, values[index + 1] ?? 0);
  if (terms === undefined || group.component) return;
  const { termRound } = to.sink;
  if (termRound !== undefined && termRound === token.termRound) return;
  for (const term of terms) to.sink.term(term.parameter, term.high, term.low, term.folded);
  // Behind the last: a sink may throw.
  token.termRound = termRound;
}

function tokenOf(group: ValueGroup, system: string, code: string): CachedToken {
  if (group.tokenCase === "written") {
    const terms = system === "" || group.component ? undefined : spellingTerms(system, code);
    const values = tokenNumbers(group, system, code, group.systemsOf(code));
    return terms === undefined ? { values, resource: 0 } : { values, resource: 0, terms, termRound: undefined };
  }
  const folded = foldCode(code);
  const systems = group.systemsOf(folded);
  const isMediaType = systems.includes(MEDIA_TYPES) && folded.length <= LONGEST_MEDIA_TYPE;
  const values = foldedNumbers(group, folded, systems);
  return isMediaType
    ? { values, resource: 0, terms: [mediaTypeTerm(folded)], termRound: undefined }
    : { values, resource: 0 };
}

/** A code that can be written in another case, for systems where that does not matter. */
function spellingTerms(system: string, code: string): CachedTerm[] | undefined {
  if (code === "" || code.length > LONGEST_SPELLED_CODE || system.length > LONGEST_SYSTEM) return undefined;
  const folded = foldCode(code);
  if (folded === code && code === code.toUpperCase()) return undefined;
  const halves = { high: 0, low: 0 };
  const text = storableText(codeTerm(system, code, folded));
  codeTermValue(text, halves);
  return [{ parameter: CODE_TERMS, high: halves.high, low: halves.low, folded: text }];
}

const LONGEST_SYSTEM = 255;

/** A media type for `:below`. */
function mediaTypeTerm(folded: string): CachedTerm {
  const halves = { high: 0, low: 0 };
  const text = storableText(folded);
  mediaTypeValue(text, halves);
  return { parameter: MEDIA_TYPE_TERMS, high: halves.high, low: halves.low, folded: text };
}

/** What is longer is none. */
const LONGEST_MEDIA_TYPE = 255;

/** The numbers of a token that is found without regard to case. */
function foldedNumbers(group: ValueGroup, folded: string, systems: readonly string[]): Int32Array {
  const { numbers, add } = numberList();
  for (const parameter of group.parameters) {
    if (!group.component) numbers.push(parameter.presentHigh, parameter.presentLow);
    add(parameter.id, EqualityForm.caselessCode, folded);
    for (const system of group.onlyCodes ? [] : systems) {
      add(parameter.id, EqualityForm.systemCode, `${system}|${folded}`);
      add(parameter.id, EqualityForm.system, system);
    }
  }
  return Int32Array.from(numbers);
}

function numberList(): { numbers: number[]; add: (parameter: number, form: EqualityForm, text: string) => void } {
  const numbers: number[] = [];
  const halves = { high: 0, low: 0 };
  return {
    numbers,
    add(parameter, form, text) {
      equalityValue(parameter, form, text, halves);
      numbers.push(halves.high, halves.low);
    },
  };
}

/** The numbers of a (system, code) for all parameters of the group: contract 10.6. Either text may be empty. */
function tokenNumbers(group: ValueGroup, system: string, code: string, implied: readonly string[]): Int32Array {
  const { numbers, add } = numberList();
  for (const parameter of group.parameters) {
    if (!group.component) numbers.push(parameter.presentHigh, parameter.presentLow);
    if (code !== "") add(parameter.id, EqualityForm.code, code);
    if (group.onlyCodes) continue;
    if (code !== "" && system === "") add(parameter.id, EqualityForm.noSystemCode, code);
    for (const namespace of system === "" ? implied : [system]) {
      if (code !== "") add(parameter.id, EqualityForm.systemCode, `${namespace}|${codeOf(namespace, code)}`);
      add(parameter.id, EqualityForm.system, namespace);
    }
  }
  return Int32Array.from(numbers);
}

function emitIdentifierType(
  to: ValueCollector,
  group: ValueGroup,
  type: Record<string, unknown>,
  value: unknown,
): void {
  const { coding, text } = type;
  if (Array.isArray(coding) && isText(value)) {
    for (const each of coding as unknown[]) {
      if (!isObjectOrArray(each) || !isText(each["code"])) continue;
      const system = isText(each["system"]) ? each["system"] : "";
      for (const { id } of group.parameters) {
        emitEquality(to, id, EqualityForm.ofType, `${system}|${each["code"]}|${value}`);
      }
    }
  }
  if (isText(text)) emitTokenText(to, group, text);
}

/** A term for `:text`. */
function emitTokenText(to: ValueCollector, group: ValueGroup, raw: string): void {
  if (group.component) return;
  let token = group.texts.find("", raw);
  if (token === undefined) {
    const folded = foldString(storableText(raw));
    token = { values: textNumbers(group, folded), resource: 0, folded, termRound: undefined } satisfies CachedToken;
    group.texts.keep("", raw, token);
  }
  const { values, folded = "" } = token;
  if (token.resource === to.resource || folded === "") return;
  token.resource = to.resource;
  const { termRound } = to.sink;
  const hasTerms = termRound !== undefined && termRound === token.termRound;
  let index = 0;
  for (const { id } of group.parameters) {
    const high = values[index++] ?? 0;
    const low = values[index++] ?? 0;
    if (!to.add(high, low)) continue;
    to.sink.equality(high, low);
    if (!hasTerms) to.sink.term(id, high, low, folded);
  }
  token.termRound = termRound;
}

function textNumbers(group: ValueGroup, folded: string): Int32Array {
  const halves = { high: 0, low: 0 };
  const numbers = group.parameters.flatMap(({ id }) => {
    equalityValue(id, EqualityForm.text, folded, halves);
    return [halves.high, halves.low];
  });
  return Int32Array.from(numbers);
}

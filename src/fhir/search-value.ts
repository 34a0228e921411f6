import { hashPair, hashText, type Int64Halves } from "../base/hash.ts";

/**
 * The vocabulary between `index` (which produces search values) and `search` (which asks for them).
 *
 * Equality values are 64-bit numbers in one `bigint[]` per resource; ordered values (dates, numbers, strings) are
 * rows. A value's *form* says which question it answers, so one stored element yields one number per way of asking.
 *
 * What is stored, by the type of the parameter (no number twice in one resource); nothing is for parameters that are
 * derived from others (`derived-parameters.ts`):
 * - every parameter with at least one element of a type it can search: `present`.
 * - token: with a system `code`, `systemCode` and `system`; without `code` and `noSystemCode`. Codes of Codings with a system and
 *   with letters are terms of {@link CODE_TERMS}, so that a search finds all spellings of a code whose system's stored CodeSystem says
 *   that case does not matter; such a CodeSystem has `caselessSystem`. An element of FHIR type
 *   code has all four, the last two for each code system of its required binding that has the code. Identifier: its value is the
 *   code. A string, a ContactPoint's value, and a media type have `caselessCode` in the place of `code` and `noSystemCode`
 *   (`token-case.ts`); media types are terms of {@link MEDIA_TYPE_TERMS}, too. Booleans are "true" and "false". Texts for `:text` (CodeableConcept.text,
 *   Coding.display, Identifier.type.text) are `text`, and terms of the token parameter: a dictionary leads from the
 *   beginning of a text to the numbers of the texts that begin so.
 * - reference: `Type/id` is a {@link referenceValue}, as is a bare id where one type only is possible. A URL
 *   `[base]/Type/id` is one with the constant of that base ({@link absoluteReferenceConstant}), so that it counts as a
 *   reference to a resource here where the base is this server's; bases are terms of {@link BASE_TERMS}. Anything else is
 *   `referenceText`. All of them without `/_history/…`; a reference to a version of a resource is `referenceText` with it, too, and
 *   `versionedReference`, and its parameter a term of {@link VERSIONED_TERMS}. Canonicals: `canonical-value.ts`; one that is a place is
 *   stored as a reference, too. A resource with a canonical URL has values of its own for it. `referenceType` where the text, or Reference.type, names a type to which some derived parameter is restricted.
 *   Reference.identifier: `identifier…`.
 * - uri: `uri` and a string row (value = folded = the uri). Canonicals also without `|version`.
 * - string: `stringExact` and a string row for each distinct part (of a name: family, given, prefix, suffix, text; of an
 *   address: line, city, district, state, country, postal code, text), folded by `foldString`. Further rows of the same value, with
 *   {@link OTHER_FORM} as their qualifier, are folded by `joinedString`, and, of a family name, by `laterParts` (`fold-text.ts`).
 * - date: one row for each date; a Timing is one row from its first to its last limit. Ranges longer than a day stand
 *   under the *negative* of the parameter's id: {@link dateRowParameter}.
 * - number, quantity: one row for each. A Quantity whose `unit` is not its `code` has a second row, without system and
 *   with the unit as code. Money: code = currency, system = urn:iso:std:iso:4217. Codes of UCUM are terms of
 *   {@link UNIT_TERMS}, so that a search can ask for a quantity in all units that it may have been stored in.
 * - special, for `near` only: one quantity row for each position, `low` its latitude, `high` its longitude in degrees.
 * - composite, for a context of kind `element` (`CompositeContext` in search-parameters.ts), c = the composite named by
 *   `values`; the components' equality numbers are computed *as if c were their parameter*, and `present` of c is stored:
 *   equality and equality: {@link compositeValue} of c for each pair of numbers (tokens: code, systemCode, system,
 *   noSystemCode; references: the key's or the text's number).
 *   equality and ordered, or string: rows of parameter c, once for each number of the first component, which is their
 *   qualifier; of strings these rows only.
 *   token, number, number (MolecularSequence's coordinates): one quantity row for each number of the token, its
 *   qualifier; `low` is the second component's value, `high` the third's.
 *   Contexts of kind `root` store nothing, not even `present`.
 *
 * A resource that refers, by a parameter P, to one that is contained in it (`#id`) has beside the text of that reference,
 * for chains to find it by: `contained` of P with the contained resource's type, and the {@link containedValue} of P for each
 * equality value that the contained resource would have if it were stored by itself, `contained` of its own references to what is
 * in the same resource included; where these are too many, `contained` of P without a text stands for all of them. Which pairs of P and a type there are, terms of {@link CONTAINED_TERMS} tell.
 */
export const EqualityForm = {
  /** The parameter has at least one value (`:missing`). Text: empty. */
  present: 1,
  /** A code, whatever its system: `code`. Text: the code. */
  code: 2,
  /** A code of a system: `system|code`. Text: `system|code`. */
  systemCode: 3,
  /** Any code of a system: `system|`. Text: the system. */
  system: 4,
  /** A code without a system: `|code`. Text: the code. */
  noSystemCode: 5,
  /** A reference kept as text: absolute URL, `urn:`, conditional reference, or a bare id of unknown type. Text: as written. */
  referenceText: 6,
  /** A uri, exactly. Text: the uri. */
  uri: 7,
  /** A string, exactly (`:exact`). Text: the string as written. */
  stringExact: 8,
  /** `Reference.identifier`, in the four token forms (`:identifier`). */
  identifierCode: 9,
  identifierSystemCode: 10,
  identifierSystem: 11,
  identifierNoSystemCode: 12,
  /** The type a reference points to, where a derived parameter counts references to that type only. Text: the type name. */
  referenceType: 13,
  /** An Identifier by its type (`:of-type`), one per coding of the type. Text: `system|code|value`. */
  ofType: 14,
  /** A text of a token (`:text`). Text: the text, folded. */
  text: 15,
  /** A reference to a contained resource. Text: its type; empty: not all of its values are stored. */
  contained: 16,
  /** A token, whatever its case and without a system. Text: the token, by `foldCode`. */
  caselessCode: 17,
  /** A reference to one version of a resource. Text: empty. */
  versionedReference: 18,
  /** A CodeSystem whose codes are compared without regard to case. Text: its URL. */
  caselessSystem: 19,
} as const;

/** One of {@link EqualityForm}. */
export type EqualityForm = (typeof EqualityForm)[keyof typeof EqualityForm];

/** Hash of (parameter, form, text) into `out`. `parameter` is {@link SearchParameter.id}. */
export function equalityValue(parameter: number, form: EqualityForm, text: string, out: Int64Halves): void {
  hashText(text, seedOf(parameter, form), out);
}

/**
 * Equality value of a typed reference: the *key of its target* XOR a constant of the parameter. So SQL can turn a set
 * of target keys into equality values (`key # constant`) and back: chained and reverse-chained search stay in the
 * database. `target` is {@link resourceKey} of the target.
 */
export function referenceValue(parameter: number, target: Int64Halves, out: Int64Halves): void {
  const { high, low } = target;
  referenceConstant(parameter, out);
  out.high ^= high;
  out.low ^= low;
}

/** The constant of {@link referenceValue}. */
export function referenceConstant(parameter: number, out: Int64Halves): void {
  hashText("", seedOf(parameter, REFERENCE_KEY), out);
}

/**
 * The constant of references that are written as URLs below a base (`http://host/fhir`, no slash at its end): the value is
 * the key of `Type/id` XOR this.
 */
export function absoluteReferenceConstant(parameter: number, base: string, out: Int64Halves): void {
  hashText(base, seedOf(parameter, ABSOLUTE_REFERENCE), out);
}

/** Stands for the parameter of terms that are bases of references; no parameter has this number. */
export const BASE_TERMS = -1;

/** The number of a base among the terms. */
export function baseValue(base: string, out: Int64Halves): void {
  hashText(base, BASE, out);
}

/**
 * Equality value of a resource that refers, by a parameter, to a contained one of a type that has the equality value `value` of
 * R4's parameters.
 */
export function containedValue(parameter: number, typeId: number, value: Int64Halves, out: Int64Halves): void {
  hashPair(value, { high: typeId, low: parameter }, CONTAINED, out);
}

/** Stands for the parameter of terms that are pairs of a parameter and a type; no parameter has this number. */
export const CONTAINED_TERMS = -2;

/**
 * A pair among the terms: resources of the type are contained where the parameter refers to them. `nested`: the resource that
 * refers is a contained one itself. An empty type: not all values of contained resources are stored.
 */
export function containedTerm(parameter: number, type: string, place: "stored" | "nested" = "stored"): string {
  return place === "stored" ? `${parameter} ${type}` : `${parameter} ${type} nested`;
}

/** The number of a {@link containedTerm}. */
export function containedTermValue(term: string, out: Int64Halves): void {
  hashText(term, CONTAINED, out);
}

/** Equality value of one combination of two components' equality values (a composite of equality-type components). */
export function compositeValue(parameter: number, first: Int64Halves, second: Int64Halves, out: Int64Halves): void {
  hashPair(first, second, seedOf(parameter, COMPOSITE), out);
}

/** The qualifier of rows that have another form of a string which has a row without a qualifier as well. */
export const OTHER_FORM: Readonly<Int64Halves> = { high: 0, low: 1 };

/** Stands for the parameter of terms that are codes of a system as they are written, letters among them; no parameter has this number. */
export const CODE_TERMS = -6;

/** Characters of the longest code that is among the terms. */
export const LONGEST_SPELLED_CODE = 60;

/** A code among the terms: as it is compared without regard to case, its system, and as it is written. */
export function codeTerm(system: string, code: string, folded: string): string {
  return `${folded}\n${system}\n${code}`;
}

/** The number of a {@link codeTerm}. */
export function codeTermValue(term: string, out: Int64Halves): void {
  hashText(term, CODE, out);
}

/**
 * Stands for the parameter of terms that are URLs of CodeSystems, behind their equality number of form `caselessSystem`; no parameter
 * has this number.
 */
export const CASELESS_SYSTEM_TERMS = -7;

/** Stands for the parameter of terms that are parameters with references to versions; no parameter has this number. */
export const VERSIONED_TERMS = -5;

/** The number of a parameter among the terms. */
export function versionedTermValue(parameter: number, out: Int64Halves): void {
  hashText(String(parameter), VERSIONED, out);
}

/** Stands for the parameter of terms that are media types; no parameter has this number. */
export const MEDIA_TYPE_TERMS = -3;

/** The number of a media type among the terms. */
export function mediaTypeValue(mediaType: string, out: Int64Halves): void {
  hashText(mediaType, MEDIA_TYPE, out);
}

/** Stands for the parameter of terms that are UCUM codes; no parameter has this number. */
export const UNIT_TERMS = 0;

/** The code system of UCUM's units. */
export const UCUM = "http://unitsofmeasure.org";

/** Hash of a quantity's unit system or unit code, parameter-independent; both halves 0 stand for "none". */
export function unitValue(text: string, out: Int64Halves): void {
  hashText(text, UNIT, out);
}

/**
 * Instants are counted in ticks of 100 ns since 1970-01-01T00:00:00Z; a stored date is the closed range [low, high]
 * of ticks it can mean (contract 10.3). Halves, because ticks exceed 2^53.
 */
export interface TickRange {
  lowHigh: number;
  lowLow: number;
  highHigh: number;
  highLow: number;
}

/** Ticks in a day: the length of the longest range that counts as short. */
export const DAY_TICKS = 864_000_000_000;

/**
 * What a date row is stored under: the parameter, or its negative when the range is longer than a day. Short ranges are
 * nearly all; that none of them begins more than a day before it ends is what lets an index (and the planner) find
 * those that overlap a given one, instead of reading all that began before it.
 */
export function dateRowParameter(parameter: number, range: TickRange): number {
  const { lowHigh, lowLow, highHigh, highLow } = range;
  // Doubles are exact enough: lengths near a day are far below 2^53.
  const length = (highHigh - lowHigh) * 4294967296 + ((highLow >>> 0) - (lowLow >>> 0));
  return length < DAY_TICKS ? parameter : -parameter;
}

/**
 * Where extractors put the values of one resource. The implementation writes straight into COPY buffers, so nothing
 * handed over may be kept, and every call is one value or row.
 *
 * `qualify` sets the qualifier of the ordered rows that follow until it is called with zeros again: the equality
 * value of the other component in a composite such as `component-code-value-quantity`.
 */
export interface SearchValueSink {
  equality(high: number, low: number): void;
  date(parameter: number, range: TickRange): void;
  /**
   * `low` and `high` are decimal texts (digits, sign, point, exponent), or "-Infinity"/"Infinity" where a range is
   * open. `system` and `code` are {@link unitValue}s, zeros for plain numbers or an absent unit.
   */
  quantity(parameter: number, low: string, high: string, system: Int64Halves, code: Int64Halves): void;
  /** `folded` is the form that prefix search compares: see `foldString`. Strings and (folded = value) uris. */
  string(parameter: number, value: string, folded: string): void;
  /**
   * The text of a token behind an equality number of form `text`, which has been handed over as well; or, with
   * {@link UNIT_TERMS} for the parameter, a UCUM code behind its {@link unitValue}, with {@link BASE_TERMS} the base of a
   * reference behind its {@link baseValue}, with {@link CONTAINED_TERMS} a {@link containedTerm} behind its number, with {@link MEDIA_TYPE_TERMS} a media type behind its {@link mediaTypeValue}. A parameter's number stands for one
   * folded text, whatever the resource: each needs to be kept once.
   */
  term(parameter: number, high: number, low: number, folded: string): void;
  qualify(high: number, low: number): void;
  /** While it stays the same, a term need not be handed over again; where it is undefined, it must. Another sink has another number. */
  readonly termRound?: number | undefined;
}

const ABSOLUTE_REFERENCE = 29;
const REFERENCE_KEY = 30;
const COMPOSITE = 31;
const UNIT = 0x7a11;
const BASE = 0x7a12;
const CONTAINED = 0x7a13;
const MEDIA_TYPE = 0x7a14;
const VERSIONED = 0x7a17;
const CODE = 0x7a18;

/** 5 bits of form below the parameter id: distinct for every (parameter, form). */
function seedOf(parameter: number, form: number): number {
  return (parameter << 5) | form;
}

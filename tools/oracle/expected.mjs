// A second, slow and simple conversion of FHIR elements to search values, written from the rules in
// src/fhir/search-value.ts and contract 10. It shares only the vocabulary (forms and hashes) with src/index.
import { resourceTypeId } from "../../dist/fhir/resource-types.js";
import { foldString, joinedString, laterParts } from "../../dist/fhir/fold-text.js";
import { EqualityForm } from "../../dist/fhir/search-value.js";

const FORM = EqualityForm;

/** Values of one element: `equality` rows are [form, text] or ["key", type, id]; undefined: the type yields nothing. */
export function convert(parameter, { type, value, path }, paths) {
  const none = {
    equality: [],
    dates: [],
    quantities: [],
    strings: [],
    otherForms: [],
    texts: [],
    mediaTypes: [],
    codes: [],
  };
  const kind = `${parameter.type}:${type === "String" ? "string" : type === "Boolean" ? "boolean" : type}`;
  const rule = RULES[parameter.type === "reference" && isResource(value) ? "reference:*resource" : kind];
  if (rule === undefined) return undefined;
  const found = rule(value, { path, paths, parameter });
  return found === undefined ? undefined : { ...none, ...found };
}

function isResource(value) {
  return typeof value === "object" && value !== null && typeof value.resourceType === "string";
}

function token(system, code, implied = []) {
  const rows = [];
  if (code) rows.push([FORM.code, code]);
  if (code && !system) rows.push([FORM.noSystemCode, code]);
  return [...rows, ...systemRows(system ? [system] : implied, code)];
}

function systemRows(systems, code) {
  return systems.flatMap((system) => [
    [FORM.system, system],
    ...(code ? [[FORM.systemCode, `${system}|${system === MEDIA_TYPES ? code.toLowerCase() : code}`]] : []),
  ]);
}

/** A code that can be written in another case. */
function spelled({ system, code = "" }) {
  const hasCase = code.toLowerCase() !== code.toUpperCase();
  return system && hasCase && code.length <= 60 ? [[system, code]] : [];
}

const MEDIA_TYPES = "urn:ietf:bcp:13";

/** A token of which the case does not count. */
const caseless = (code) => (code ? { equality: [[FORM.caselessCode, code.toLowerCase()]] } : {});

const present = (list) => list.filter((text) => typeof text === "string" && text !== "");
const primitive = (value) => ({ equality: token(undefined, String(value)) });
/** The forms themselves have tests of their own; `families` are those of the texts that are family names. */
const strings = (list, families = []) => {
  const texts = present(list);
  const joined = texts.map((text) => [text, joinedString(text)]).filter(([, form]) => form !== undefined);
  const later = present(families).flatMap((text) => laterParts(text).map((form) => [text, form]));
  return {
    equality: texts.map((text) => [FORM.stringExact, text]),
    strings: texts.map((text) => [text, foldString(text)]),
    otherForms: [...joined, ...later],
  };
};
const uris = (list) => ({
  equality: list.map((uri) => [FORM.uri, uri]),
  strings: list.map((uri) => [uri, uri]),
});
const versions = (canonical) => [...new Set([canonical, canonical.replace(/(?<=.)\|.*$/, "")])];
const texts = (list) => present(list).map(foldString);

const RULES = {
  "token:CodeableConcept": (concept) => ({
    equality: (concept.coding ?? []).flatMap(({ system, code }) => token(system, code)),
    texts: texts([concept.text, ...(concept.coding ?? []).map(({ display }) => display)]),
    codes: (concept.coding ?? []).flatMap(spelled),
  }),
  "token:Coding": ({ system, code, display }) => ({
    equality: token(system, code),
    texts: texts([display]),
    codes: spelled({ system, code }),
  }),
  "token:Identifier": ({ system, value, type }) => ({
    equality: [
      ...token(system, value),
      ...(type?.coding ?? [])
        .filter((coding) => coding.code && value)
        .map((coding) => [FORM.ofType, `${coding.system ?? ""}|${coding.code}|${value}`]),
    ],
    texts: texts([type?.text]),
  }),
  "token:ContactPoint": ({ value }) => caseless(value),
  "token:code": (value, { path, paths }) => {
    const systems = paths.impliedSystems(path, value);
    if (!systems.includes(MEDIA_TYPES)) return { equality: token(undefined, value, systems) };
    const { equality } = caseless(value);
    return { equality: [...equality, ...systemRows(systems, value)], mediaTypes: [value.toLowerCase()] };
  },
  "token:boolean": primitive,
  "token:id": primitive,
  "token:string": caseless,
  "token:uri": primitive,
  "string:string": (value, { path }) => strings([value], path.endsWith(".family") ? [value] : []),
  "string:markdown": (value) => strings([value]),
  "string:HumanName": (name) =>
    strings(
      [name.family, name.text, ...(name.given ?? []), ...(name.prefix ?? []), ...(name.suffix ?? [])],
      [name.family],
    ),
  "string:Address": (address) => {
    const { line = [], city, district, state, postalCode, country, text } = address;
    return strings([...line, city, district, state, postalCode, country, text]);
  },
  "uri:uri": (value) => uris([value]),
  "uri:url": (value) => uris([value]),
  "uri:canonical": (value) => uris(versions(value)),
  "reference:Reference": reference,
  "reference:*resource": (resource, context) =>
    context.parameter.target.includes(resource.resourceType)
      ? reference({ reference: `${resource.resourceType}/${resource.id}` }, context)
      : undefined,
  "reference:canonical": canonicalReference,
  "reference:uri": canonicalReference,
  "date:date": (value) => ({ dates: [period(value, value)] }),
  "date:dateTime": (value) => ({ dates: [period(value, value)] }),
  "date:instant": (value) => ({ dates: [period(value, value)] }),
  "date:Period": ({ start, end }) => (start || end ? { dates: [period(start, end)] } : undefined),
  "date:Timing": ({ event = [], repeat }) => {
    const bounds = repeat?.boundsPeriod;
    const all = [
      ...event.map((each) => period(each, each)),
      ...(bounds?.start || bounds?.end ? [period(bounds.start, bounds.end)] : []),
    ];
    if (all.length === 0) return undefined;
    return { dates: [[all.map(([low]) => low).reduce(least), all.map(([, high]) => high).reduce(most)]] };
  },
  "number:decimal": (value) => ({ quantities: [[String(value), String(value)]] }),
  "number:integer": (value) => ({ quantities: [[String(value), String(value)]] }),
  "number:Range": ({ low, high }) => ({ quantities: bounds(low, high).map(([from, to]) => [from, to]) }),
  "special:BackboneElement": ({ latitude, longitude }) => ({
    quantities: latitude === undefined || longitude === undefined ? [] : [[String(latitude), String(longitude)]],
  }),
  "quantity:Quantity": quantity,
  "quantity:Age": quantity,
  "quantity:Duration": quantity,
  "quantity:Money": ({ value, currency }) => ({
    quantities: value === undefined ? [] : [[String(value), String(value), "urn:iso:std:iso:4217", currency]],
  }),
  "quantity:Range": ({ low, high }) => ({ quantities: bounds(low, high) }),
  "quantity:SampledData": ({ origin, factor = 1, data = "" }) => {
    const samples = data.split(" ").filter((word) => word !== "" && word !== "E");
    const numbers = samples.map((word) =>
      word === "L" ? -Infinity : word === "U" ? Infinity : Number(word) * factor + (origin.value ?? 0),
    );
    if (numbers.length === 0) return {};
    return { quantities: units(String(Math.min(...numbers)), String(Math.max(...numbers)), origin) };
  },
};

/** The number next to it, 20 places further on. */
function beside(value, by) {
  const [, whole, fraction = "", exponent = "0"] = /^(-?\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(value));
  const places = fraction.length - Number(exponent);
  const more = places < 0 ? 20 - places : 20;
  return `${BigInt(whole + fraction) * 10n ** BigInt(more) + by}e-${Math.max(places, 0) + 20}`;
}

function quantity({ value, comparator = "", ...unit }) {
  if (value === undefined) return {};
  const low = comparator.startsWith("<") ? "-Infinity" : comparator === ">" ? beside(value, 1n) : String(value);
  const high = comparator.startsWith(">") ? "Infinity" : comparator === "<" ? beside(value, -1n) : String(value);
  return { quantities: units(low, high, unit) };
}

function bounds(low, high) {
  if (low?.value === undefined && high?.value === undefined) return [];
  const unit = [low, high].find((side) => side?.unit || side?.code || side?.system) ?? {};
  return units(String(low?.value ?? "-Infinity"), String(high?.value ?? "Infinity"), unit);
}

function units(low, high, { system, code, unit }) {
  const rows = [[low, high, system, code ?? unit]];
  return code && unit && unit !== code ? [...rows, [low, high, undefined, unit]] : rows;
}

/** The type a reference says it has: its text first, which may be that of a contained resource, then Reference.type. */
export function referredType({ reference = "", type }, { contained = [] } = {}) {
  const text = reference.replace(/\/_history\/.*$/, "");
  const named = /^(?:.*\/)?([A-Z][A-Za-z]+)(?:\/[A-Za-z0-9\-.]{1,64}|\?.*)$/.exec(text)?.[1];
  const inside = contained.find(({ id }) => text === `#${id}`)?.resourceType;
  return [named, inside, type].find((name) => resourceTypeId(name ?? "") !== undefined);
}

/** Marks the text of a Reference, which alone can lead to what is contained. */
export const OF_REFERENCE = "of a Reference";

function reference(value, { path, paths, parameter }) {
  const text = (value.reference ?? "").replace(/\/_history\/.*$/, "");
  const type = referredType(value);
  const rows = [];
  const id = (text.startsWith(`${type}/`) ? text.slice(type.length + 1) : text).match(/^[A-Za-z0-9\-.]{1,64}$/)?.[0];
  const possible = paths.targets(path).filter((target) => target !== "Resource");
  const targets = parameter.target.length === 0 ? possible : possible.filter((one) => parameter.target.includes(one));
  const inferred = type ?? (id !== undefined && targets.length === 1 ? targets[0] : undefined);
  const [, base, atBase] = /^(.+)\/[A-Za-z]+\/([A-Za-z0-9\-.]{1,64})$/.exec(text) ?? [];
  if (id !== undefined && inferred !== undefined) rows.push(["key", inferred, id]);
  else if (base !== undefined && resourceTypeId(text.split("/").at(-2)) !== undefined) {
    rows.push(["key at", text.split("/").at(-2), atBase, base]);
  } else if (text !== "") rows.push([FORM.referenceText, text, OF_REFERENCE]);
  const version = /\/_history\/(.*)$/.exec(value.reference ?? "")?.[1];
  if (version !== undefined && inferred !== undefined) rows.push(["version", `${text}/_history/${version}`]);
  const { system, value: code } = value.identifier ?? {};
  const forms = new Map([
    [FORM.code, FORM.identifierCode],
    [FORM.systemCode, FORM.identifierSystemCode],
    [FORM.system, FORM.identifierSystem],
    [FORM.noSystemCode, FORM.identifierNoSystemCode],
  ]);
  for (const [form, token_] of token(system, code)) rows.push([forms.get(form), token_]);
  return { equality: rows };
}

/** A canonical: where it is, if it is a place of a resource, and its text. */
function canonicalReference(value) {
  if (value.startsWith("#")) return { equality: [[FORM.referenceText, value, OF_REFERENCE]] };
  const [url, version = ""] = value.split("|");
  const rows = version === "" ? [] : [["canonical", "versioned", value]];
  const [, base, type, id] = /^(?:(.+)\/)?([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/.exec(url) ?? [];
  const isPlace = resourceTypeId(type ?? "") !== undefined;
  if (isPlace && base === undefined) return { equality: [...rows, ["key", type, id]] };
  rows.push(["canonical", version === "" ? "unversioned" : "url of versioned", url]);
  if (isPlace) rows.push(["key at", type, id, base]);
  else if (/^[A-Za-z0-9\-.]{1,64}$/.test(url)) rows.push([FORM.referenceText, url]);
  return { equality: rows };
}

const least = (a, b) => (a < b ? a : b);
const most = (a, b) => (a > b ? a : b);
const ticksAt = (iso) => BigInt(Date.parse(iso)) * 10_000n;

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

function period(start, end) {
  return [start === undefined ? MIN : ticks(start)[0], end === undefined ? MAX : ticks(end)[1]];
}

/** Contract 10.3 with Date and BigInt. */
function ticks(text) {
  const zoned = /T/.test(text) && !/(Z|[+-]\d\d:\d\d)$/.test(text) ? `${text}Z` : text;
  const fraction = /\.(\d+)/.exec(zoned)?.[1];
  if (fraction !== undefined) {
    const point = ticksAt(zoned.replace(`.${fraction}`, "")) + BigInt(fraction.padEnd(7, "0").slice(0, 7));
    return [point, point];
  }
  const low = ticksAt(zoned);
  const date = new Date(Date.parse(zoned));
  if (text.length === 4) date.setUTCFullYear(date.getUTCFullYear() + 1);
  else if (text.length === 7) date.setUTCMonth(date.getUTCMonth() + 1);
  else if (text.length === 10) date.setUTCDate(date.getUTCDate() + 1);
  else date.setUTCSeconds(date.getUTCSeconds() + 1);
  return [low, BigInt(date.getTime()) * 10_000n - 1n];
}

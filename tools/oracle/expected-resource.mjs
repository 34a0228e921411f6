// Everything that one resource must yield, from fhirpath's selections and the conversion in expected.mjs.
import { readFileSync } from "node:fs";
import { fromBigInt, toBigInt } from "../../dist/base/hash.js";
import { resourceKey } from "../../dist/fhir/resource-key.js";
import { resourceTypeId } from "../../dist/fhir/resource-types.js";
import { searchParametersOf } from "../../dist/fhir/search-parameters.js";
import {
  absoluteReferenceConstant,
  BASE_TERMS,
  baseValue,
  compositeValue,
  CODE_TERMS,
  codeTermValue,
  CASELESS_SYSTEM_TERMS,
  CONTAINED_TERMS,
  containedTerm,
  containedTermValue,
  containedValue,
  equalityValue,
  EqualityForm,
  MEDIA_TYPE_TERMS,
  mediaTypeValue,
  OTHER_FORM,
  referenceValue,
  UCUM,
  UNIT_TERMS,
  unitValue,
  VERSIONED_TERMS,
  versionedTermValue,
} from "../../dist/fhir/search-value.js";
import {
  canonicalConstant,
  canonicalKey,
  CANONICAL_TERMS,
  ownCanonicalConstant,
} from "../../dist/fhir/canonical-value.js";
import { convert, OF_REFERENCE, referredType } from "./expected.mjs";
import { compile } from "./select.mjs";

/** Answered from columns, or not from elements at all. */
const NOT_INDEXED = new Set(["_id", "_lastUpdated", "_text", "_content", "_query", "_filter"]);

/** `expectedOf(resource)` gives the sets that a recording sink must have seen, and the codes that had values. */
export function openExpectation(paths) {
  const plans = new Map();

  function planOf(type) {
    let plan = plans.get(type);
    if (plan === undefined) {
      plan = searchParametersOf(type)
        .filter(({ code }) => !NOT_INDEXED.has(code))
        // Composites come last: those of the resource itself are compared with the plain parameters.
        .toSorted((a, b) => Number(a.type === "composite") - Number(b.type === "composite"))
        .map((parameter) => ({ parameter, evaluate: evaluator(parameter, type) }));
      plans.set(type, plan);
    }
    return plan;
  }

  function evaluator(parameter, type) {
    if (parameter.type !== "composite") {
      const select = compile(parameter.expression, type, referredType);
      return (resource) => converted(parameter, select(resource, resource));
    }
    const contexts = parameter.expression
      .split("|")
      .map((text) => text.trim())
      .filter((text) => text === type || text.startsWith(`${type}.`));
    const parts = contexts.map((context) => ({
      context: compile(context, type, referredType),
      described: parameter.composite[type][contexts.indexOf(context)],
      components: parameter.components.map((component) => ({
        component,
        select: compile(component.expression, type, referredType, context),
        path: context,
      })),
    }));
    return (resource) => parts.flatMap((part) => compositeRows(parameter, part, resource));
  }

  /** Conversions of the nodes whose type the parameter can search. */
  function converted(parameter, nodes) {
    return nodes.map((node) => convert(parameter, node, paths)).filter((values) => values !== undefined);
  }

  /** One row per context element: the components' values there. */
  function compositeRows(composite, { context, components, described }, resource) {
    return context(resource, resource).map(({ value }) => ({
      described,
      parts: components.map(({ component, select, path }) => {
        const nodes = select(value, resource).map((node) => ({ ...node, path: `${path}.${node.path}` }));
        return converted({ ...component, id: composite.id }, nodes);
      }),
    }));
  }

  return function expectedOf(resource) {
    const out = expectedAlone(resource);
    addContained(out, resource, expectedAlone);
    addOwnCanonical(out, resource);
    return out;
  };

  /** Without what the resource contains; `local` are the references of parameters that may lead there. */
  function expectedAlone(resource) {
    const out = { equality: new Map(), rows: new Set(), used: new Set(), broken: [], local: [] };
    const number = (halves, why) => {
      const key = String(toBigInt(halves));
      out.equality.set(key, why);
      return key;
    };
    const plain = new Map();
    const derived = [];
    for (const { parameter, evaluate } of planOf(resource.resourceType)) {
      const found = evaluate(resource);
      if (parameter.type !== "composite") plain.set(parameter.id, found);
      const name = `${resource.resourceType}.${parameter.code}`;
      const rule = parameter.derived?.[resource.resourceType];
      if (rule !== undefined) derived.push({ name, rule, found });
      if (found.length === 0) continue;
      if (rule !== undefined) {
        out.used.add(name);
        continue;
      }
      if (parameter.type === "composite") {
        for (const row of found) addComposite(out, name, parameter, row, plain, number);
        continue;
      }
      out.used.add(name);
      number(halvesOf(parameter.id, [EqualityForm.present, ""]), `${name} present`);
      for (const values of found) {
        for (const row of values.equality) {
          number(halvesOf(parameter.id, row), `${name} ${row.join(" ")}`);
          if (row[2] === OF_REFERENCE) out.local.push([parameter.id, row[1]]);
          if (row[0] === "version") {
            number(halvesOf(parameter.id, [EqualityForm.versionedReference, ""]), `${name} has a version`);
            out.rows.add(`term ${VERSIONED_TERMS} ${numberOf(versionedTermValue, parameter.id)} ${parameter.id}`);
          }
          if (row[0] === "canonical" && row[1] === "versioned") {
            out.rows.add(`term ${CANONICAL_TERMS} ${numberOf(canonicalKey, row[2])} ${row[2]}`);
          }
          if (row[0] === "key at") out.rows.add(`term ${BASE_TERMS} ${base(row[3])} ${row[3]}`);
        }
        for (const qualifier of qualifiersOf(parameter, planOf(resource.resourceType), resource)) {
          addRows(out, parameter.id, qualifier, values);
        }
        for (const [system, code] of values.codes) {
          const term = `${code.toLowerCase()}\n${system}\n${code}`;
          out.rows.add(`term ${CODE_TERMS} ${numberOf(codeTermValue, term)} ${term}`);
        }
        for (const mediaType of values.mediaTypes) {
          out.rows.add(`term ${MEDIA_TYPE_TERMS} ${numberOf(mediaTypeValue, mediaType)} ${mediaType}`);
        }
        for (const text of values.texts) {
          const value = number(halvesOf(parameter.id, [EqualityForm.text, text]), `${name} text ${text}`);
          out.rows.add(`term ${parameter.id} ${value} ${text}`);
        }
      }
    }
    for (const each of derived) addDerived(out, each, plain, number);
    return out;
  }
}

/**
 * A reference to a contained resource gives its parameter the type of that, and each of its equality values, to which the types
 * of what it refers to itself in the same resource belong.
 */
function addContained(out, resource, expectedAlone) {
  const contained = resource.contained ?? [];
  const itself = { resourceType: resource.resourceType, id: "" };
  const inside = (text) => [...contained, itself].find(({ id }) => text === `#${id}`);
  const marker = (equality, parameter, type, place) => {
    const halves = { high: 0, low: 0 };
    equalityValue(parameter, EqualityForm.contained, type, halves);
    equality.set(String(toBigInt(halves)), `contained ${parameter} ${type}`);
    const term = containedTerm(parameter, type, place);
    containedTermValue(term, halves);
    out.rows.add(`term ${CONTAINED_TERMS} ${toBigInt(halves)} ${term}`);
  };
  for (const [parameter, text] of out.local) {
    const found = text === "#" ? undefined : inside(text);
    const typeId = resourceTypeId(found?.resourceType ?? "");
    if (typeId === undefined) continue;
    marker(out.equality, parameter, found.resourceType);
    const own = expectedAlone({ ...found, contained: [...contained, itself] });
    for (const row of own.rows) if (row.startsWith("term -")) out.rows.add(row);
    for (const [further, local] of own.local) {
      const sibling = inside(local);
      if (sibling !== undefined) marker(own.equality, further, sibling.resourceType, "nested");
    }
    for (const [value, why] of own.equality) {
      const halves = { high: 0, low: 0 };
      containedValue(parameter, typeId, fromBigInt(BigInt(value)), halves);
      out.equality.set(String(toBigInt(halves)), `of ${text}, for ${parameter}: ${why}`);
    }
  }
}

/**
 * Nothing is stored for a derived parameter: what it finds by its own expression must be what it is derived from. Of a
 * restricted reference the base stores the type exactly when the parameter finds something.
 */
function addDerived(out, { name, rule, found }, plain, number) {
  const own = new Set(found.map(asText));
  if (rule.union !== undefined) {
    const union = new Set(rule.union.flatMap((id) => plain.get(id).map(asText)));
    if (!isSame(own, union)) out.broken.push(`${name}: not the union of ${rule.union.join()}`);
    return;
  }
  if (found.length === 0) return;
  // The element appears once, so the base finds the same there and nothing else.
  const base = plain.get(rule.of);
  if (found.length !== 1 || !isSame(own, new Set(base.map(asText)))) out.broken.push(`${name}: not of ${rule.of}`);
  number(halvesOf(rule.of, [EqualityForm.referenceType, rule.targetType]), `${name} type`);
}

function isSame(a, b) {
  return a.size === b.size && [...a].every((each) => b.has(each));
}

/**
 * The rows of a quantity that is a component of a composite of the whole resource, beside a code, are there once for each of the
 * resource's codes, which qualifies them; more than four, or none, qualify nothing.
 */
function qualifiersOf(parameter, plan, resource) {
  const [token] = plan
    .flatMap(({ parameter: { composite } }) => composite?.[resource.resourceType] ?? [])
    .flatMap(({ context, parameters }) =>
      context === "root" && parameters[1] === parameter.id ? [parameters[0]] : [],
    );
  if (parameter.type !== "quantity" || token === undefined) return ["0"];
  const tokens = plan.find((each) => each.parameter.id === token).evaluate(resource);
  const codes = tokens.flatMap(({ equality }) => equality.filter(([form]) => form === EqualityForm.code));
  const qualifiers = new Set(codes.map((row) => String(toBigInt(halvesOf(token, row)))));
  return qualifiers.size === 0 || qualifiers.size > 4 ? ["0"] : [...qualifiers];
}

/** What a function of a text gives, as text. */
function numberOf(hash, text) {
  const halves = { high: 0, low: 0 };
  hash(text, halves);
  return String(toBigInt(halves));
}

/** Types with a canonical URL and a business version. */
const { types } = JSON.parse(readFileSync(new URL("../../generated/structure.json", import.meta.url), "utf8"));
const CANONICAL = new Set(
  Object.keys(types).filter((type) => types[type].elements.url === "uri" && types[type].elements.version === "string"),
);

/** What resources with a canonical URL are referred to by. */
function addOwnCanonical(out, { resourceType, url, version, caseSensitive }) {
  if (!CANONICAL.has(resourceType) || !url) return;
  const add = (own, text) => {
    const [key, constant] = [numberOf(canonicalKey, text), numberOf(ownCanonicalConstant, own)];
    out.equality.set(String(BigInt(key) ^ BigInt(constant)), `own ${text}`);
  };
  add("url", url);
  if (resourceType === "CodeSystem" && caseSensitive === false) {
    const value = String(toBigInt(halvesOf(0, [EqualityForm.caselessSystem, url])));
    out.equality.set(value, `caseless ${url}`);
    out.rows.add(`term ${CASELESS_SYSTEM_TERMS} ${value} ${url}`);
  }
  if (version) add("url|version", `${url}|${version}`);
}

/** Halves of an equality row for a parameter. */
function halvesOf(parameter, [form, text, id, base]) {
  const halves = { high: 0, low: 0 };
  if (form === "canonical") {
    const key = { high: 0, low: 0 };
    canonicalKey(id, key);
    canonicalConstant(parameter, text, halves);
    return { high: halves.high ^ key.high, low: halves.low ^ key.low };
  }
  if (form === "version") {
    equalityValue(parameter, EqualityForm.referenceText, text, halves);
    return halves;
  }
  if (form === "key at") {
    const key = { high: 0, low: 0 };
    resourceKey(resourceTypeId(text), id, key);
    absoluteReferenceConstant(parameter, base, halves);
    halves.high ^= key.high;
    halves.low ^= key.low;
  } else if (form === "key") {
    const key = { high: 0, low: 0 };
    resourceKey(resourceTypeId(text), id, key);
    referenceValue(parameter, key, halves);
  } else {
    equalityValue(parameter, form, text, halves);
  }
  return halves;
}

function addRows(out, parameter, qualifier, values) {
  for (const [low, high] of values.dates) out.rows.add(`date ${parameter} ${qualifier} ${low} ${high}`);
  for (const [low, high, system, code] of values.quantities) {
    out.rows.add(`quantity ${parameter} ${qualifier} ${low} ${high} ${unit(system)} ${unit(code)}`);
    if (system === UCUM && code) out.rows.add(`term ${UNIT_TERMS} ${unit(code)} ${code}`);
  }
  for (const row of values.strings) out.rows.add(`string ${parameter} ${qualifier} ${row.join(" | ")}`);
  // The other component of a composite is its rows' qualifier.
  const other = qualifier === "0" ? values.otherForms : [];
  for (const row of other) out.rows.add(`string ${parameter} ${toBigInt(OTHER_FORM)} ${row.join(" | ")}`);
}

function base(text) {
  const halves = { high: 0, low: 0 };
  baseValue(text, halves);
  return String(toBigInt(halves));
}

function unit(text) {
  const halves = { high: 0, low: 0 };
  if (text) unitValue(text, halves);
  return String(toBigInt(halves));
}

function addComposite(out, name, parameter, { described, parts }, plain, number) {
  if (described.context === "root") {
    // Nothing is stored; but each component must find no more than the plain parameter that stands for it.
    parts.forEach((values, index) => {
      const known = new Set((plain.get(described.parameters[index]) ?? []).map(asText));
      for (const value of values) if (!known.has(asText(value))) out.broken.push(`${name}: component ${index}`);
    });
    if (parts.every((values) => values.length > 0)) out.used.add(`${name} (root)`);
    return;
  }
  const id = described.values;
  const equality = parts.map((values) => values.flatMap((value) => value.equality.filter(isComponentForm)));
  const ordered = parts.map((values) => values.some((value) => value.dates.length + value.quantities.length > 0));
  const equalityParts = parts.filter((_, index) => parameter.components[index].type.match(/token|reference|uri/));
  const complete = parts.every((_, index) => equality[index].length > 0 || ordered[index]);
  if (!complete) return;
  out.used.add(name);
  number(halvesOf(id, [EqualityForm.present, ""]), `${name} present`);
  if (equalityParts.length === 2) {
    for (const a of equality[0]) {
      for (const b of equality[1]) {
        const halves = { high: 0, low: 0 };
        compositeValue(id, halvesOf(id, a), halvesOf(id, b), halves);
        number(halves, `${name} ${a.join(" ")} $ ${b.join(" ")}`);
      }
    }
    return;
  }
  for (const a of equality[0]) {
    const qualifier = String(toBigInt(halvesOf(id, a)));
    if (parts.length === 2) {
      for (const values of parts[1]) addRows(out, id, qualifier, values);
    } else {
      const [start, end] = [parts[1][0].quantities[0][0], parts[2][0].quantities[0][0]];
      out.rows.add(`quantity ${id} ${qualifier} ${start} ${end} 0 0`);
    }
  }
}

function isComponentForm([form]) {
  return (
    form !== "version" &&
    form !== EqualityForm.referenceType &&
    form !== EqualityForm.ofType &&
    !(form >= 9 && form <= 12)
  );
}

function asText(value) {
  return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? String(each) : each));
}

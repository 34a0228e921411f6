// Parameters whose values follow from those of others: nothing is stored for them.
import { stepKey, valuesOf } from "../../dist/index/expression/tree.js";

/**
 * Finds, for one resource type, the parameters that need no values of their own, as a Map from id to
 * - `{ union: [ids] }`: its values are those of the other parameters, of the same type, taken together; or
 * - `{ of: id, targetType }`: they are those of another reference parameter that refer to one type.
 * `selected` has `{ parameter, selections }` for every parameter of the type that is stored.
 */
export function derivedParameters(selected) {
  const rows = selected
    .map(({ parameter, selections }) => ({
      parameter,
      selections,
      keys: new Set(selections.map((selection) => keyOf(selection, parameter))),
    }))
    .toSorted((a, b) => a.keys.size - b.keys.size || a.parameter.id - b.parameter.id);
  const derived = new Map();
  const stored = [];
  // Parameters of few elements come first: what is left of those is what others can be put together from.
  for (const row of rows) {
    const parts = partsOf(row, stored);
    if (parts === undefined) stored.push(row);
    else derived.set(row.parameter.id, { union: parts });
  }
  for (const row of stored) {
    const base = baseOf(row, stored);
    if (base !== undefined) derived.set(row.parameter.id, { of: base.parameter.id, targetType: targetTypeOf(row) });
  }
  return derived;
}

/**
 * Refuses a table in which the values of one type's parameter could be mistaken for those of another type: a search
 * over several types asks for all of their stored parameters at once.
 */
export function checkDerived(parameters) {
  const byId = new Map(parameters.map((parameter) => [parameter.id, parameter]));
  for (const parameter of parameters) {
    for (const [type, rule] of Object.entries(parameter.derived ?? {})) {
      for (const id of rule.union ?? [rule.of]) {
        const stored = byId.get(id);
        if (stored.derived?.[type] !== undefined) throw new Error(`${parameter.url}: derived from a derived one`);
        const others = stored.base.filter((other) => other !== type && parameter.base.includes(other));
        if (others.some((other) => JSON.stringify(parameter.derived[other]) !== JSON.stringify(rule))) {
          throw new Error(`${parameter.url}: ${stored.url} means something else in ${others.join(", ")}`);
        }
      }
    }
  }
}

/** Ids of stored parameters that select the same elements together, in the same way; undefined when there are none. */
function partsOf({ parameter, keys }, stored) {
  const left = new Set(keys);
  const parts = [];
  const candidates = stored.filter((other) => other.parameter.type === parameter.type && isSubset(other.keys, keys));
  for (const other of candidates.toReversed()) {
    if (![...other.keys].some((key) => left.has(key))) continue;
    for (const key of other.keys) left.delete(key);
    parts.push(other.parameter.id);
  }
  return left.size === 0 ? parts.toSorted((a, b) => a - b) : undefined;
}

/**
 * The reference parameter of which this one takes what refers to one type. Both must select a single element that
 * appears once: the type of its one reference, which is stored beside it, then tells all about it. And its type must
 * never be guessed.
 */
function baseOf(row, stored) {
  const [selection] = row.selections;
  if (row.selections.length !== 1 || selection.refersTo === undefined || selection.type !== "Reference")
    return undefined;
  if (selection.steps.some((step) => step.name === undefined || step.many)) return undefined;
  return stored.find(({ parameter, selections }) => {
    const [other] = selections;
    if (parameter.type !== "reference" || selections.length !== 1 || other.refersTo !== undefined) return false;
    return elementKey(other) === elementKey(selection) && valuesOf(other, parameter).onlyTarget === undefined;
  });
}

function targetTypeOf(row) {
  return row.selections[0].refersTo;
}

/** What an element is and how values are taken from it for a parameter, whatever the parameter's id. */
function keyOf(selection, parameter) {
  return JSON.stringify([elementKey(selection), { ...valuesOf(selection, parameter), id: 0 }]);
}

function elementKey({ steps, truth, type, system, systems }) {
  return JSON.stringify([steps.map(stepKey), truth, type, system, systems]);
}

function isSubset(part, whole) {
  return [...part].every((key) => whole.has(key));
}

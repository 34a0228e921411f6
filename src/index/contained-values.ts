import type { JsonObject } from "../base/json.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import {
  CONTAINED_TERMS,
  containedTerm,
  containedTermValue,
  containedValue,
  EqualityForm,
  equalityValue,
  type SearchValueSink,
} from "../fhir/search-value.ts";
import { siblingsIn, type ContainedResource } from "./contained-resources.ts";
import { NOWHERE, type ValueCollector } from "./value-collector.ts";

/** Hands the values of R4's parameters that a resource of the type has to the collector. */
export type ExtractValues = (typeId: number, resource: JsonObject) => void;

/**
 * Takes values for the references to contained resources that the collector has just met in a resource, and begins with it
 * anew: to be called when all else has been taken.
 */
export function emitContained(
  to: ValueCollector,
  container: JsonObject,
  extract: ExtractValues,
  sink: SearchValueSink,
): void {
  const referred = new Map<ContainedResource, Set<number>>();
  for (const { parameter, resource } of to.localReferences) {
    const parameters = referred.get(resource);
    if (parameters === undefined) referred.set(resource, new Set([parameter]));
    else parameters.add(parameter);
  }
  const siblings = siblingsIn(container);
  const values: number[] = [];
  const out = { high: 0, low: 0 };
  const marker = (into: number[], parameter: number, type: string, place?: "nested"): void => {
    equalityValue(parameter, EqualityForm.contained, type, out);
    into.push(out.high, out.low);
    const term = containedTerm(parameter, type, place);
    containedTermValue(term, out);
    sink.term(CONTAINED_TERMS, out.high, out.low, term);
  };
  for (const [contained, parameters] of referred) {
    const typeId = resourceTypeId(contained.type);
    if (typeId === undefined) continue;
    const own: number[] = [];
    to.begin(catching(own, sink), contained.resource, undefined, siblings);
    extract(typeId, contained.resource);
    for (const { parameter, resource } of to.localReferences) marker(own, parameter, resource.type, "nested");
    for (const parameter of parameters) {
      marker(values, parameter, contained.type);
      if (values.length + own.length > MAX_HALVES) {
        marker(values, parameter, "");
        continue;
      }
      for (let at = 0; at < own.length; at += 2) {
        containedValue(parameter, typeId, { high: own[at] ?? 0, low: own[at + 1] ?? 0 }, out);
        values.push(out.high, out.low);
      }
    }
  }
  to.begin(sink, container, undefined);
  for (let at = 0; at < values.length; at += 2) to.equality(values[at] ?? 0, values[at + 1] ?? 0);
}

/** Of one resource: 2000 values. */
const MAX_HALVES = 4000;

/** A sink for equality numbers alone; terms that are of no parameter are like those of other resources. */
function catching(halves: number[], terms: SearchValueSink): SearchValueSink {
  return {
    ...NOWHERE,
    equality: (high, low) => void halves.push(high, low),
    term(parameter, high, low, folded) {
      if (parameter < 0) terms.term(parameter, high, low, folded);
    },
  };
}

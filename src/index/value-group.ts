import type { Int64Halves } from "../base/hash.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { equalityValue, EqualityForm, referenceConstant } from "../fhir/search-value.ts";
import { tokenCase, type TokenCase } from "../fhir/token-case.ts";
import type { TreeNode } from "../fhir/extraction-tree.ts";
import type { ValueCache } from "./value-cache.ts";
import type { ValueCollector } from "./value-collector.ts";

/**
 * Takes values from one element for all parameters of one kind. `value` is whatever JSON stands there: an emitter yields
 * nothing for what is not of its FHIR type, and never throws.
 */
export type Emitter = (to: ValueCollector, group: ValueGroup, value: unknown) => void;

/** A parameter of a group with the constants of its values. */
export interface GroupParameter {
  id: number;
  presentHigh: number;
  presentLow: number;
  /** References: the constant of its values, and its `referenceType` numbers by type id. */
  constantHigh: number;
  constantLow: number;
  types: ReadonlyMap<number, Int64Halves>;
  refersTo: string | undefined;
  /** Type id of the one type that a bare id can mean, 0 when several are possible. */
  onlyTarget: number;
  targets: readonly string[] | undefined;
}

/** The parameters of one kind that take values from one element. */
export interface ValueGroup {
  parameters: readonly GroupParameter[];
  /** True when the values belong to a composite: no `present`, no texts, no types of references. */
  component: boolean;
  /** True when of tokens their codes alone are taken, whatever the systems. */
  onlyCodes: boolean;
  /** Implied code systems of a code of `code` elements. */
  systemsOf: (code: string) => readonly string[];
  /** How the tokens are stored. */
  tokenCase: TokenCase;
  /** True when the element is a family name. */
  isFamily: boolean;
  cache: ValueCache;
  /** Of texts, with "" for the system. */
  texts: ValueCache;
}

/** Makes the group of a node's values. */
export function valueGroup(
  node: TreeNode,
  values: NonNullable<TreeNode["values"]>[number],
  options: { component: boolean; onlyCodes: boolean; cache: ValueCache; texts: ValueCache },
): ValueGroup {
  const halves: Int64Halves = { high: 0, low: 0 };
  const constant: Int64Halves = { high: 0, low: 0 };
  const parameters = values.parameters.map((parameter): GroupParameter => {
    equalityValue(parameter.id, EqualityForm.present, "", halves);
    referenceConstant(parameter.id, constant);
    return {
      id: parameter.id,
      presentHigh: halves.high,
      presentLow: halves.low,
      constantHigh: constant.high,
      constantLow: constant.low,
      types: new Map(
        (parameter.types ?? []).map((type) => [resourceTypeId(type) ?? 0, typeNumber(parameter.id, type)]),
      ),
      refersTo: parameter.refersTo,
      onlyTarget: resourceTypeId(parameter.onlyTarget ?? "") ?? 0,
      targets: parameter.targets,
    };
  });
  return {
    parameters,
    ...options,
    systemsOf: systemsOf(node),
    tokenCase: tokenCase({ type: node.type ?? "", system: node.system }),
    isFamily: node.name === "family",
  };
}

function systemsOf({ system, systems }: TreeNode): ValueGroup["systemsOf"] {
  const only = system === undefined ? [] : [system];
  if (systems === undefined) return () => only;
  const byCode = new Map<string, string[]>();
  for (const [name, codes] of Object.entries(systems)) {
    for (const code of codes) byCode.set(code, [...(byCode.get(code) ?? []), name]);
  }
  return (code) => byCode.get(code) ?? [];
}

function typeNumber(parameter: number, type: string): Int64Halves {
  const number = { high: 0, low: 0 };
  equalityValue(parameter, EqualityForm.referenceType, type, number);
  return number;
}

/** `present` for all parameters of a group. */
export function emitPresent(to: ValueCollector, group: ValueGroup): void {
  if (group.component) return;
  for (const parameter of group.parameters) to.equality(parameter.presentHigh, parameter.presentLow);
}

/** One equality number of a parameter. */
export function emitEquality(to: ValueCollector, parameter: number, form: EqualityForm, text: string): void {
  equalityValue(parameter, form, text, to.halves);
  to.equality(to.halves.high, to.halves.low);
}

/** Whether a JSON value is an object (not null, perhaps an array). */
export function isObjectOrArray(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Whether a JSON value is a string with something in it. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

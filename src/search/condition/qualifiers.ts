import { qualifiedQuantities } from "../../fhir/qualified-quantities.ts";
import { EqualityForm } from "../../fhir/search-value.ts";
import type { Criterion, TokenValue } from "../criteria/criteria.ts";
import { equalityOf } from "./equality.ts";

/**
 * The codes that are asked for together with a quantity, by the quantity's id: what its rows carry as their qualifier
 * (fhir/qualified-quantities.ts). The codes themselves are asked for as well: the qualifiers only tell the rows that can belong
 * to them, which an index finds.
 */
export type Qualifiers = ReadonlyMap<number, readonly bigint[]>;

/** The qualifiers of a group of criteria, all of which must hold. */
export function qualifiersOf(types: readonly string[] | undefined, criteria: readonly Criterion[]): Qualifiers {
  for (const criterion of types?.length === 1 ? criteria : []) {
    if (criterion.kind !== "values" || criterion.comparison !== "plain") continue;
    const tokens = criterion.values.flatMap((value) => (value.type === "token" ? [value] : []));
    if (tokens.length !== criterion.values.length) continue;
    const found = qualifiersOfTokens(types ?? [], criterion.parameter.id, tokens);
    if (found.size > 0) return found;
  }
  return NONE;
}

/** The qualifiers where a parameter must have one of the tokens; none when it qualifies nothing. */
export function qualifiersOfTokens(types: readonly string[], token: number, values: readonly TokenValue[]): Qualifiers {
  const [type, ...others] = types;
  if (type === undefined || others.length > 0) return NONE;
  const codes = values.flatMap(({ code }) => (code === undefined ? [] : [equalityOf(token, EqualityForm.code, code)]));
  // A system alone stands for any code of it.
  if (codes.length === 0 || codes.length !== values.length) return NONE;
  const quantities = [...qualifiedQuantities(type)].filter(([, qualifying]) => qualifying === token);
  return new Map(quantities.map(([quantity]) => [quantity, codes]));
}

const NONE: Qualifiers = new Map();

/** What a row `s` of the parameters has as its qualifier when it can belong to one of the codes; none when any row can. */
export function rowQualifiers(
  parameters: readonly number[],
  qualifiers: Qualifiers | undefined,
): readonly bigint[] | undefined {
  const [parameter, ...others] = parameters;
  const codes = others.length === 0 ? qualifiers?.get(parameter ?? 0) : undefined;
  return codes === undefined ? undefined : [0n, ...codes];
}

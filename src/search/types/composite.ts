import { storedParameters, type StoredParameter } from "../../fhir/derived-parameters.ts";
import { searchParameterById, type CompositeContext, type SearchParameter } from "../../fhir/search-parameters.ts";
import { NEVER, type Condition } from "../condition/condition.ts";
import { allOf } from "../condition/combine.ts";
import { oneOf } from "../condition/combine.ts";
import type { CompositeValue, SimpleValue } from "../criteria/criteria.ts";
import { compositeEqualities, referenceEqualities, tokenEqualities } from "../condition/equality.ts";
import { numberTest } from "../condition/ordered.ts";
import { qualifiersOfTokens } from "../condition/qualifiers.ts";
import { quantityCondition } from "./quantity.ts";
import { presence, simpleCondition, type ValueRules } from "./simple.ts";
import { all, sql } from "../../postgres/sql.ts";

/** The condition for a value of a composite parameter (contract 10.9), in any of the contexts it has for the types. */
export function compositeCondition(
  parameter: SearchParameter,
  value: CompositeValue,
  types: readonly string[],
  rules: ValueRules,
): Condition {
  return oneOf(
    contextsOf(parameter, types).map(({ context, types: members }) => {
      if (context.context === "element") return elementCondition(context.values, value.parts, rules);
      const { parameters } = context;
      const [first] = value.parts;
      const tokens = first?.type === "token" ? [first] : [];
      const qualifiers = qualifiersOfTokens(members, parameters[0] ?? 0, tokens);
      const parts = value.parts.map((part, index) =>
        simpleCondition(storedAs(parameters[index] ?? 0, members), part, { ...rules, qualifiers }),
      );
      return allOf(parts);
    }),
  );
}

/** The condition that there is a value of a composite at all. */
export function compositePresence(parameter: SearchParameter, types: readonly string[]): Condition {
  return oneOf(
    contextsOf(parameter, types).map(({ context, types: members }) =>
      context.context === "element"
        ? presence([{ parameter: context.values }])
        : allOf(context.parameters.map((id) => presence(storedAs(id, members)))),
    ),
  );
}

/** Where the values of a plain parameter are. */
function storedAs(id: number, types: readonly string[]): readonly StoredParameter[] {
  const parameter = searchParameterById(id);
  return parameter === undefined ? [{ parameter: id }] : storedParameters(parameter, types);
}

/** The contexts of the types that are searched; they are alternatives, and most types have one. */
function contextsOf(
  parameter: SearchParameter,
  types: readonly string[],
): { context: CompositeContext; types: string[] }[] {
  const contexts = new Map<string, { context: CompositeContext; types: string[] }>();
  for (const type of types) {
    for (const context of parameter.composite?.[type] ?? []) {
      const known = contexts.get(JSON.stringify(context));
      if (known === undefined) contexts.set(JSON.stringify(context), { context, types: [type] });
      else known.types.push(type);
    }
  }
  return [...contexts.values()];
}

/** The components meet in one element: `composite` is what its values are stored under (fhir/search-value.ts). */
function elementCondition(composite: number, parts: readonly SimpleValue[], rules: ValueRules): Condition {
  const [first, second, third] = parts;
  if (first === undefined || second === undefined) return NEVER;
  const qualifiers = equalities(composite, first);
  const others = equalities(composite, second);
  if (others.length > 0) return { kind: "holds", values: compositeEqualities(composite, qualifiers, others) };
  const qualified = sql`s.qualifier = any(${qualifiers}::bigint[])`;
  if (third !== undefined && second.type === "quantity" && third.type === "quantity") {
    // Two numbers of one element share a row.
    const test = all([
      qualified,
      numberTest(second, sql`s.low`, sql`s.low`),
      numberTest(third, sql`s.high`, sql`s.high`),
    ]);
    return { kind: "row", table: "search_quantity", parameters: [composite], test };
  }
  if (second.type === "quantity") return quantityCondition([composite], second, { qualifiers });
  const ordered = simpleCondition([{ parameter: composite }], second, rules);
  return ordered.kind === "row" ? { ...ordered, test: all([qualified, ordered.test]) } : NEVER;
}

function equalities(composite: number, value: SimpleValue): bigint[] {
  if (value.type === "token") return tokenEqualities(composite, value);
  if (value.type === "reference") return referenceEqualities(composite, value);
  return [];
}

import type { CompositeContext, SearchParameter } from "../fhir/search-parameters.ts";
import { EqualityForm } from "../fhir/search-value.ts";
import { allOf, NEVER, oneOf, type Condition } from "./condition.ts";
import type { CompositeValue, SimpleValue } from "./criteria.ts";
import { compositeEqualities, equalityOf, referenceEqualities, TOKEN_FORMS, tokenEquality } from "./equality.ts";
import { numberTest, type DateRules } from "./ordered.ts";
import { simpleCondition } from "./simple.ts";
import { all, sql } from "./sql.ts";

/** The condition for a value of a composite parameter (contract 10.9), in any of the contexts it has for the types. */
export function compositeCondition(
  parameter: SearchParameter,
  value: CompositeValue,
  types: readonly string[],
  rules: DateRules,
): Condition {
  return oneOf(
    contextsOf(parameter, types).map((context) => {
      if (context.context === "element") return elementCondition(context.values, value.parts, rules);
      const parts = value.parts.map((part, index) => simpleCondition(context.parameters[index] ?? 0, part, rules));
      return allOf(parts);
    }),
  );
}

/** The condition that there is a value of a composite at all. */
export function compositePresence(parameter: SearchParameter, types: readonly string[]): Condition {
  return oneOf(
    contextsOf(parameter, types).map((context) =>
      context.context === "element" ? present(context.values) : allOf(context.parameters.map(present)),
    ),
  );
}

function present(parameter: number): Condition {
  return { kind: "holds", values: [equalityOf(parameter, EqualityForm.present, "")] };
}

/** The contexts of the types that are searched; they are alternatives, and most types have one. */
function contextsOf(parameter: SearchParameter, types: readonly string[]): CompositeContext[] {
  const contexts = new Map<string, CompositeContext>();
  for (const type of types) {
    for (const context of parameter.composite?.[type] ?? []) contexts.set(JSON.stringify(context), context);
  }
  return [...contexts.values()];
}

/** The components meet in one element: `composite` is what its values are stored under (fhir/search-value.ts). */
function elementCondition(composite: number, parts: readonly SimpleValue[], rules: DateRules): Condition {
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
    return { kind: "row", table: "search_quantity", parameter: composite, test };
  }
  const ordered = simpleCondition(composite, second, rules);
  return ordered.kind === "row" ? { ...ordered, test: all([qualified, ordered.test]) } : NEVER;
}

function equalities(composite: number, value: SimpleValue): bigint[] {
  if (value.type === "token") return [tokenEquality(composite, TOKEN_FORMS, value)];
  if (value.type === "reference") return referenceEqualities(composite, value);
  return [];
}

import type { StoredParameter } from "../../fhir/derived-parameters.ts";
import { EqualityForm } from "../../fhir/search-value.ts";
import { type Condition } from "../condition/condition.ts";
import { allOf } from "../condition/combine.ts";
import { oneOf } from "../condition/combine.ts";
import type { ReferenceValue, SimpleValue, TokenValue } from "../criteria/criteria.ts";
import {
  equalityOf,
  IDENTIFIER_FORMS,
  referenceEqualities,
  textEqualities,
  tokenEqualities,
  tokenEquality,
} from "../condition/equality.ts";
import { dateBounds, dateRowTest, stringPrefixTest, type DateRules } from "../condition/ordered.ts";
import { nearTest } from "./near.ts";
import { rowQualifiers, type Qualifiers } from "../condition/qualifiers.ts";
import { quantityCondition } from "./quantity.ts";
import { restrictTo } from "./restricted-reference.ts";
import { any, type Sql } from "../../postgres/sql.ts";

/** How the values of criteria are understood. */
export interface ValueRules extends DateRules {
  /** The codes that a search asks for together with a quantity, as qualifiers of its rows. */
  qualifiers?: Qualifiers;
}

/** The condition for a value of a plain parameter without a modifier (contract 10.3 to 10.8). */
export function simpleCondition(stored: readonly StoredParameter[], value: SimpleValue, rules: ValueRules): Condition {
  switch (value.type) {
    case "token":
      return holds(stored.flatMap(({ parameter }) => tokenEqualities(parameter, value)));
    case "reference":
      return oneOf(stored.map((each) => referenceCondition(each, value)));
    case "uri":
      return holdsAny(stored, (parameter) => equalityOf(parameter, EqualityForm.uri, value.text));
    case "string":
      return stringRows(stored, stringPrefixTest(value.text));
    case "date": {
      const test = any(stored.map(({ parameter }) => dateRowTest(parameter, value, rules)));
      const row = { kind: "row", table: "search_date", parameters: stored.map(idOf), test } as const;
      if (!isOfOneElement(stored)) return row;
      const dates = dateBounds(value, rules);
      return { ...row, element: "date", ...(dates === undefined ? {} : { dates }) };
    }
    case "near":
      return { kind: "row", table: "search_quantity", parameters: stored.map(idOf), test: nearTest(value) };
    default:
      return quantityCondition(stored.map(idOf), value, {
        qualifiers: rowQualifiers(stored.map(idOf), rules.qualifiers) ?? [],
        isSingle: isOfOneElement(stored),
      });
  }
}

/** The condition that one of the parameters has an equality value. */
export function holdsAny(stored: readonly StoredParameter[], valueOf: (parameter: number) => bigint): Condition {
  return { kind: "holds", values: stored.map(({ parameter }) => valueOf(parameter)) };
}

/** The condition that a string row of the parameters passes a test. */
export function stringRows(stored: readonly StoredParameter[], test: Sql): Condition {
  return { kind: "row", table: "search_string", parameters: stored.map(idOf), test };
}

/** The condition that there is a value at all. */
export function presence(stored: readonly StoredParameter[]): Condition {
  return oneOf(
    stored.map(({ parameter, targetType }) =>
      targetType === undefined
        ? holds([equalityOf(parameter, EqualityForm.present, "")])
        : refersTo(parameter, targetType),
    ),
  );
}

/** The condition for the identifier of a reference (`:identifier`). */
export function identifierCondition(stored: readonly StoredParameter[], value: TokenValue): Condition {
  return oneOf(
    stored.map(({ parameter, targetType }) => {
      const identifier = holds([tokenEquality(parameter, IDENTIFIER_FORMS, value)]);
      return targetType === undefined ? identifier : allOf([identifier, refersTo(parameter, targetType)]);
    }),
  );
}

/**
 * A parameter that counts references to one type finds no others. A key says its type, and so do most texts; of the
 * others only the type that is stored beside them tells.
 */
function referenceCondition({ parameter, targetType }: StoredParameter, value: ReferenceValue): Condition {
  if (targetType === undefined) return holds(referenceEqualities(parameter, value));
  const { typed, untyped } = restrictTo(targetType, value);
  const ofUntyped = untyped.map((text) =>
    allOf([holds(textEqualities(parameter, text)), refersTo(parameter, targetType)]),
  );
  return oneOf([holds(referenceEqualities(parameter, typed)), ...ofUntyped]);
}

function refersTo(parameter: number, targetType: string): Condition {
  return holds([equalityOf(parameter, EqualityForm.referenceType, targetType)]);
}

function holds(values: readonly bigint[]): Condition {
  return { kind: "holds", values };
}

function isOfOneElement(stored: readonly StoredParameter[]): boolean {
  return stored.length === 1 && stored[0]?.isSingle === true;
}

function idOf({ parameter }: StoredParameter): number {
  return parameter;
}

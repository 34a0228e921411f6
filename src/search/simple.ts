import { EqualityForm } from "../fhir/search-value.ts";
import type { Condition } from "./condition.ts";
import type { SimpleValue } from "./criteria.ts";
import { equalityOf, referenceEqualities, TOKEN_FORMS, tokenEquality } from "./equality.ts";
import { dateRowTest, quantityTest, stringPrefixTest, type DateRules } from "./ordered.ts";

/** The condition for a value of a plain parameter without a modifier (contract 10.3 to 10.8). */
export function simpleCondition(parameter: number, value: SimpleValue, rules: DateRules): Condition {
  switch (value.type) {
    case "token":
      return { kind: "holds", values: [tokenEquality(parameter, TOKEN_FORMS, value)] };
    case "reference":
      return { kind: "holds", values: referenceEqualities(parameter, value) };
    case "uri":
      return { kind: "holds", values: [equalityOf(parameter, EqualityForm.uri, value.text)] };
    case "string":
      return { kind: "row", table: "search_string", parameter, test: stringPrefixTest(value.text) };
    case "date":
      return { kind: "row", table: "search_date", parameter, test: dateRowTest(parameter, value, rules) };
    default:
      return { kind: "row", table: "search_quantity", parameter, test: quantityTest(value) };
  }
}

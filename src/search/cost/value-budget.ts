import { StokerError } from "../../base/errors.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import type { Comparison, CriterionValue } from "../criteria/criteria.ts";

/** What the values of one search may cost: there can be 200 parameters, each with thousands of values, each for many types. */
export interface ValueBudget {
  /** Values that are compared for equality: each is a number in a list. */
  equalities: number;
  /** Values that are tested otherwise, such as dates: each is a part of a statement. */
  tests: number;
}

const MOST_EQUALITIES = 50_000;
/** PostgreSQL needs some 40 KB to plan an alternative, in each partition: see `statement-cost.ts`. */
const MOST_TESTS = 3000;
/** A text of a token can begin thousands of terms. */
const TESTS_OF_TEXTS = 20;
/** Words are looked for in texts, each of which may be long. */
const TESTS_OF_WORDS = 50;
/** A longer value is none that is stored. */
const MOST_CHARACTERS = 10_000;
/** With `:above`, each beginning of a URL is a value of its own. */
const MOST_BEGINNINGS = 1000;

/** The budget of a search. */
export function newValueBudget(): ValueBudget {
  return { equalities: MOST_EQUALITIES, tests: MOST_TESTS };
}

/** Refuses texts that are too long, before they are read. Throws `too-costly`, as a 400. */
export function checkLengths(name: string, texts: readonly string[], modifier: string | undefined): void {
  const most = modifier === "above" ? MOST_BEGINNINGS : MOST_CHARACTERS;
  if (texts.every((text) => text.length <= most)) return;
  throw tooCostly(name, `a value has more than ${most} characters`);
}

/** Takes a value of a parameter from the budget. Throws `too-costly`, as a 400, when there are too many. */
export function spendValue(
  budget: ValueBudget,
  name: string,
  { parameter, comparison, value }: { parameter: SearchParameter; comparison: Comparison; value: CriterionValue },
): void {
  if (comparison === "text") spendTests(budget, name, TESTS_OF_TEXTS);
  else if (isTested(parameter, comparison)) spendTests(budget, name, 1);
  else spendEqualities(budget, name, equalitiesOf(value, comparison));
}

/** Takes as many dates of `_lastUpdated` from the budget. */
export function spendTests(budget: ValueBudget, name: string, count: number): void {
  budget.tests -= count;
  if (budget.tests >= 0) return;
  const kinds = "dates, numbers, quantities, strings, texts and positions";
  throw tooCostly(
    name,
    `the search has more than ${MOST_TESTS} ${kinds} in all its parameters (a text counts as ${TESTS_OF_TEXTS}, words as ${TESTS_OF_WORDS})`,
  );
}

/** Takes as many words or phrases of `_text` and `_content` from the budget. */
export function spendWords(budget: ValueBudget, name: string, count: number): void {
  spendTests(budget, name, count * TESTS_OF_WORDS);
}

/** Takes as many ids from the budget. */
export function spendEqualities(budget: ValueBudget, name: string, count: number): void {
  budget.equalities -= count;
  if (budget.equalities >= 0) return;
  const why = "a reference without a type counts once for each type that it may mean";
  throw tooCostly(name, `the search has more than ${MOST_EQUALITIES} values in all its parameters (${why})`);
}

const TESTED: ReadonlySet<string> = new Set(["date", "number", "quantity", "string", "special"]);

function isTested({ type, components }: SearchParameter, comparison: Comparison): boolean {
  if (comparison === "exact") return false;
  if (type === "composite") return components.some((component) => TESTED.has(component.type));
  return TESTED.has(type) || (type === "uri" && comparison === "below");
}

function equalitiesOf(value: CriterionValue, comparison: Comparison): number {
  if (value.type === "reference") return value.targets.length + value.texts.length;
  if (value.type === "uri" && comparison === "above") return value.text.length;
  if (value.type === "composite")
    return value.parts.reduce((product, part) => product * equalitiesOf(part, "plain"), 1);
  return 1;
}

function tooCostly(name: string, why: string): StokerError {
  const expression = name.slice(0, 200);
  return new StokerError("too-costly", `Search parameter '${expression}': ${why}.`, { status: 400, expression });
}

import { equalityValue, EqualityForm, compositeValue, type SearchValueSink } from "../fhir/search-value.ts";
import { NOWHERE, type ValueCollector } from "./value-collector.ts";

/** Takes the values of a component from the context element; `resource` is for `%resource`. */
export type PartExtractor = (to: ValueCollector, context: unknown, resource: unknown) => void;

/** Takes a composite's values from one context element. */
export type CompositeExtractor = (to: ValueCollector, context: unknown, resource: unknown) => void;

/** Two components that are compared for equality: every combination of their numbers. */
export function equalityComposite(id: number, first: PartExtractor, second: PartExtractor): CompositeExtractor {
  const halves = { high: 0, low: 0 };
  const a = { high: 0, low: 0 };
  const b = { high: 0, low: 0 };
  return (to, context, resource) => {
    const left = to.catchEquality(() => first(to, context, resource));
    if (left.length === 0) return;
    const right = to.catchEquality(() => second(to, context, resource));
    if (right.length === 0) return;
    emitPresentOf(to, id);
    for (let i = 0; i < left.length; i += 2) {
      a.high = left[i] ?? 0;
      a.low = left[i + 1] ?? 0;
      for (let j = 0; j < right.length; j += 2) {
        b.high = right[j] ?? 0;
        b.low = right[j + 1] ?? 0;
        compositeValue(id, a, b, halves);
        to.equality(halves.high, halves.low);
      }
    }
  };
}

/** An equality component and one of rows (ordered values, or strings): its rows, once for each number of the first. */
export function qualifiedComposite(id: number, first: PartExtractor, second: PartExtractor): CompositeExtractor {
  return (to, context, resource) => {
    const rows = countRows(to, () => second(to, context, resource));
    if (rows === 0) return;
    qualified(
      to,
      id,
      to.catchEquality(() => first(to, context, resource)),
      () => second(to, context, resource),
    );
  };
}

/** A token and two numbers (MolecularSequence's coordinates): one row each, from the first number to the second. */
export function coordinateComposite(
  id: number,
  first: PartExtractor,
  second: PartExtractor,
  third: PartExtractor,
): CompositeExtractor {
  return (to, context, resource) => {
    const start = lowOf(to, () => second(to, context, resource));
    const end = lowOf(to, () => third(to, context, resource));
    if (start === undefined || end === undefined) return;
    qualified(
      to,
      id,
      to.catchEquality(() => first(to, context, resource)),
      () => {
        to.sink.quantity(id, start, end, NO_UNIT, NO_UNIT);
      },
    );
  };
}

const NO_UNIT = { high: 0, low: 0 };

function qualified(to: ValueCollector, id: number, numbers: readonly number[], emit: () => void): void {
  if (numbers.length === 0) return;
  emitPresentOf(to, id);
  const seen = new Set<string>();
  for (let index = 0; index < numbers.length; index += 2) {
    const high = numbers[index] ?? 0;
    const low = numbers[index + 1] ?? 0;
    const key = `${high} ${low}`;
    if (seen.has(key)) continue;
    seen.add(key);
    to.sink.qualify(high, low);
    emit();
  }
  to.sink.qualify(0, 0);
}

function emitPresentOf(to: ValueCollector, id: number): void {
  equalityValue(id, EqualityForm.present, "", to.halves);
  to.equality(to.halves.high, to.halves.low);
}

function countRows(to: ValueCollector, emit: () => void): number {
  let rows = 0;
  const count = (): void => void rows++;
  to.divert({ ...NOWHERE, date: count, quantity: count, string: count } satisfies SearchValueSink, emit);
  return rows;
}

function lowOf(to: ValueCollector, emit: () => void): string | undefined {
  let found: string | undefined;
  to.divert({ ...NOWHERE, quantity: (_parameter, low) => void (found = low) }, emit);
  return found;
}

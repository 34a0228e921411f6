import { toBigInt, type Int64Halves } from "../base/hash.ts";
import { dateRowParameter, type SearchValueSink, type TickRange } from "../fhir/search-value.ts";

/** The search values of one resource for one parameter, or several. */
export interface ResourceValues {
  equality: bigint[];
  dates: (Row & { low: bigint; high: bigint })[];
  quantities: (Row & { low: string; high: string; system: bigint; code: bigint })[];
  strings: (Row & { value: string; folded: string })[];
  /** Texts of tokens, which are in `equality` too. */
  terms: { parameter: number; high: number; low: number; folded: string }[];
}

/** What rows of all kinds have; `qualifier` is 0 but in composites. */
interface Row {
  parameter: number;
  qualifier: bigint;
}

/** Makes a sink, and what it puts the values into. */
export function collectValues(): { sink: SearchValueSink; values: ResourceValues } {
  const values: ResourceValues = { equality: [], dates: [], quantities: [], strings: [], terms: [] };
  let qualifier = 0n;
  const sink: SearchValueSink = {
    equality: (high, low) => void values.equality.push(toBigInt({ high, low })),
    date: (parameter: number, range: TickRange) =>
      void values.dates.push({
        parameter: dateRowParameter(parameter, range),
        qualifier,
        low: toBigInt({ high: range.lowHigh, low: range.lowLow }),
        high: toBigInt({ high: range.highHigh, low: range.highLow }),
      }),
    quantity: (parameter: number, low: string, high: string, system: Int64Halves, code: Int64Halves) =>
      void values.quantities.push({ parameter, qualifier, low, high, system: toBigInt(system), code: toBigInt(code) }),
    string: (parameter, value, folded) => void values.strings.push({ parameter, qualifier, value, folded }),
    term: (parameter, high, low, folded) => void values.terms.push({ parameter, high, low, folded }),
    qualify: (high, low) => void (qualifier = toBigInt({ high, low })),
  };
  return { sink, values };
}

/** A closed range of 100 ns ticks since 1970 (contract 10.3). */
export interface DateValue {
  readonly kind: "date";
  readonly low: bigint;
  readonly high: bigint;
}

/** Ends that are open. */
const EVER = 10n ** 30n;

/** The range that a date or time of any precision means; without a zone it is UTC. */
export function dateOf(text: string): DateValue {
  const [day = "", time] = text.split("T");
  const [year = 0, month, date] = day.split("-").map(Number);
  if (time === undefined) {
    const low = Date.UTC(year, (month ?? 1) - 1, date ?? 1);
    const next = Date.UTC(
      month === undefined ? year + 1 : year,
      month === undefined ? 0 : date === undefined ? month : month - 1,
      date === undefined ? 1 : date + 1,
    );
    return { kind: "date", low: BigInt(low) * 10_000n, high: BigInt(next) * 10_000n - 1n };
  }
  const [, clock = "", fraction, zone = "Z"] = /^([\d:]+)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$/.exec(time) ?? [];
  const seconds = clock.length === 5 ? `${clock}:00` : clock;
  const start = BigInt(Date.parse(`${day}T${seconds}${zone}`)) * 10_000n;
  if (fraction !== undefined) {
    const point = start + BigInt(fraction.padEnd(7, "0").slice(0, 7));
    return { kind: "date", low: point, high: point };
  }
  return { kind: "date", low: start, high: start + (clock.length === 5 ? 600_000_000n : 10_000_000n) - 1n };
}

/** A Period; undefined when neither end is given. */
export function periodOf({ start, end }: { start?: unknown; end?: unknown }): DateValue | undefined {
  if (typeof start !== "string" && typeof end !== "string") return undefined;
  return {
    kind: "date",
    low: typeof start === "string" ? dateOf(start).low : -EVER,
    high: typeof end === "string" ? dateOf(end).high : EVER,
  };
}

/** The outer limits of a Timing: "the specified scheduling details are ignored" (R4 search, date). */
export function timingOf({ event = [], repeat = {} }: { event?: unknown; repeat?: unknown }): DateValue | undefined {
  const { boundsPeriod = {} } = repeat as { boundsPeriod?: object };
  const all = [...(event as string[]).map(dateOf), periodOf(boundsPeriod)].filter((each) => each !== undefined);
  if (all.length === 0) return undefined;
  const low = all.map((each) => each.low).reduce((a, b) => (a < b ? a : b));
  const high = all.map((each) => each.high).reduce((a, b) => (a > b ? a : b));
  return { kind: "date", low, high };
}

/** Comparison prefixes. */
export const PREFIXES = ["eq", "ne", "lt", "gt", "le", "ge", "sa", "eb", "ap"] as const;
export type Prefix = (typeof PREFIXES)[number];

/** An asked date. */
export interface DateOperand {
  readonly kind: "date";
  /** Empty for none. */
  readonly prefix: Prefix | "";
  readonly text: string;
}

/** Contract 10.3; `eq` is containment (D-20). */
export function isDate({ low: a, high: b }: DateValue, { prefix, text }: DateOperand): boolean {
  const { low: s, high: e } = dateOf(text);
  switch (prefix) {
    case "ne":
      return a < s || b > e;
    case "lt":
      return a < s;
    case "gt":
      return b > e;
    case "le":
      return a <= e;
    case "ge":
      return b >= s;
    case "sa":
      return a > e;
    case "eb":
      return b < s;
    case "ap": {
      const now = BigInt(Date.now()) * 10_000n;
      const tenth = (now > e ? now - e : e - now) / 10n;
      return a <= e + tenth && b >= s - tenth;
    }
    default:
      // A Period that ends before it begins lies nowhere but where it begins.
      return a >= s && a <= e && b <= e;
  }
}

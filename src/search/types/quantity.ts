import { UCUM, UNIT_TERMS } from "../../fhir/search-value.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { hashed, remembered, type Condition } from "../condition/condition.ts";
import type { QuantityValue } from "../criteria/criteria.ts";
import type { DecimalOperand } from "../criteria/decimal.ts";
import { unitOf } from "../condition/equality.ts";
import { numberTest, quantityTest } from "../condition/ordered.ts";
import { add, decimalOf, divide, multiply, parseRational, subtract, type Rational } from "./rational.ts";
import { all, any, sql, statement, type Sql } from "../../postgres/sql.ts";
import { tooCostly } from "../cost/too-costly.ts";
import { openUcum, type ReadUnit, type Unit } from "./ucum.ts";

/**
 * The condition for a quantity, or a plain number (contract 10.4). With a unit of UCUM it holds for what was stored in any
 * unit that measures the same: the asked interval is converted, exactly, into each of them, so that what is stored stays
 * as it was written. The same row `s` must have one of the qualifiers, where there are some. `isSingle`: a resource has one
 * element with values of the parameter.
 */
export function quantityCondition(
  parameters: readonly number[],
  value: QuantityValue,
  { qualifiers = [], isSingle = false }: { qualifiers?: readonly bigint[]; isSingle?: boolean } = {},
): Condition {
  const element = isSingle ? elementOf(value, qualifiers) : undefined;
  const isQualified = qualifiers.length === 0 ? [] : [sql`s.qualifier = any(${qualifiers}::bigint[])`];
  const row = (test: Sql, branches?: readonly Sql[]): Condition => ({
    kind: "row",
    table: "search_quantity",
    parameters,
    test: all([...isQualified, test]),
    ...(element === undefined ? {} : { element }),
    // The values of one code have one unit, most of them.
    ...(isQualified.length === 0 ? {} : { guess: all([...isQualified, numberTest(value, sql`s.low`, sql`s.high`)]) }),
    ...(branches === undefined || branches.length > MOST_BRANCHES ? {} : { branches }),
  });
  const literal = quantityTest(value);
  const { code, system } = value;
  if (code === undefined || (system !== undefined && system !== UCUM)) return row(literal);
  return {
    kind: "lookup",
    find: async (lookups) => {
      const read = await remembered(lookups, "ucum", openUcum);
      const asked = read(code);
      if (asked === undefined) return row(literal);
      const units = lookups.containedUnits ?? (await readUnits(lookups.db, parameters, qualifiers));
      const names = units?.names ?? (await remembered(lookups, "units", () => readAllUnits(lookups.db)));
      return hashed(lookups, () => {
        const groups = commensurable(names, read, asked, code);
        const isAsked = units === undefined || units.codes.has(unitOf(code));
        const inUnits = [
          ...(isAsked ? [{ codes: [unitOf(code)], test: literal }] : []),
          ...convertedTests(value, asked, groups),
        ];
        const branches = parameters.flatMap((parameter) =>
          qualifiers.flatMap((qualifier) =>
            inUnits.flatMap(({ codes, test }) =>
              codes.map(
                (unit) =>
                  sql`s.parameter = ${parameter} and s.qualifier = ${qualifier} and s.code = ${unit} and ${test}`,
              ),
            ),
          ),
        );
        const tests = inUnits.map(({ codes, test }) => all([sql`s.code = any(${codes}::bigint[])`, test]));
        // Where nothing has the unit, nor one to convert it to, the test is as good as any.
        return tests.length === 0 ? row(literal) : row(any(tests), units === undefined ? undefined : branches);
      });
    },
  };
}

/**
 * What the rows of one quantity have in common that can pass this test: there is one with its code, and another one with its unit,
 * of no system. A code without a system can be meant of either, and two tests would each take the one that suits it.
 */
function elementOf({ system, code }: QuantityValue, qualifiers: readonly bigint[]): string | undefined {
  return code !== undefined && system === undefined ? undefined : `quantity ${qualifiers.join()}`;
}

/** Units of quantities: what rows have for them, and the names of those that are UCUM's. */
interface Units {
  codes: ReadonlySet<bigint>;
  names: readonly string[];
}

/**
 * The units that rows with one of the qualifiers have, by a step of the index for each. Undefined when these are too many, or
 * there are no qualifiers.
 */
async function readUnits(
  db: Queryable,
  parameters: readonly number[],
  qualifiers: readonly bigint[],
): Promise<Units | undefined> {
  if (qualifiers.length === 0 || qualifiers.length * parameters.length > MOST_STEPS) return undefined;
  const found = await db.query<{ code: string; folded: string | null }>({
    name: "read-units",
    ...statement(sql`with recursive unit (parameter, qualifier, code) as (
        select p.parameter, q.qualifier, (select s.code from search_quantity s
          where s.parameter = p.parameter and s.qualifier = q.qualifier order by s.code limit 1)
        from unnest(${parameters}::integer[]) p (parameter), unnest(${qualifiers}::bigint[]) q (qualifier)
        union all
        select u.parameter, u.qualifier, (select s.code from search_quantity s
          where s.parameter = u.parameter and s.qualifier = u.qualifier and s.code > u.code order by s.code limit 1)
        from unit u where u.code is not null)
      select u.code::text, s.folded
      from (select u.code from unit u where u.code is not null limit ${MOST_STEPS + 1}) u
        left join search_dictionary s on s.parameter = ${UNIT_TERMS} and s.value = u.code`),
  });
  if (found.rows.length > MOST_STEPS) return undefined;
  return {
    codes: new Set(found.rows.map(({ code }) => BigInt(code))),
    names: [...new Set(found.rows.flatMap(({ folded }) => (folded === null ? [] : [folded])))],
  };
}

const MOST_STEPS = 50;
/** More ranges of the index than this are not merged. */
const MOST_BRANCHES = 12;

/** The names of all units of UCUM that there are. Throws `too-costly` when they are too many. */
async function readAllUnits(db: Queryable): Promise<string[]> {
  const stored = await db.query<{ folded: string }>(
    statement(sql`select s.folded from search_dictionary s where s.parameter = ${UNIT_TERMS} limit ${MAX_UNITS + 1}`),
  );
  if (stored.rows.length > MAX_UNITS) throw tooCostly(`more than ${MAX_UNITS} units are stored that it could convert`);
  return stored.rows.map(({ folded }) => folded);
}

/** The number of a unit that has the same magnitude as that of another. */
export function convertNumber(text: string, from: Unit, to: Unit): string {
  const number = parseRational(text);
  // Infinite: beyond what is converted.
  if (number === undefined) return text;
  return decimalOf(divide(subtract(add(multiply(number, from.factor), from.offset), to.offset), to.factor));
}

interface Group {
  unit: Unit;
  codes: string[];
}

/** The other units that measure the same as the asked one, those that are equal together. */
function commensurable(names: readonly string[], read: ReadUnit, asked: Unit, code: string): Group[] {
  const groups = new Map<string, Group>();
  for (const stored of names) {
    const unit = stored === code ? undefined : read(stored);
    if (unit === undefined || unit.dimension !== asked.dimension) continue;
    const name = [unit.factor, unit.offset].map(({ n, d }: Rational) => `${n}/${d}`).join();
    const known = groups.get(name);
    if (known === undefined) groups.set(name, { unit, codes: [stored] });
    else known.codes.push(stored);
  }
  return [...groups.values()];
}

const MAX_UNITS = 10_000;

/** The asked interval in other units: a test of rows that have one of these codes. */
function convertedTests(
  value: QuantityValue,
  asked: Unit,
  groups: readonly Group[],
): { codes: readonly bigint[]; test: Sql }[] {
  return groups.map(({ unit, codes }) => {
    const convert = (text: string): string => convertNumber(text, asked, unit);
    const { value: number, low, high, approximateLow, approximateHigh } = value.number;
    const converted: DecimalOperand = {
      value: convert(number),
      low: convert(low),
      high: convert(high),
      approximateLow: convert(approximateLow),
      approximateHigh: convert(approximateHigh),
    };
    const test = numberTest({ ...value, number: converted }, sql`s.low`, sql`s.high`);
    return { codes: codes.map(unitOf), test: all([sql`s.system = ${unitOf(UCUM)}`, test]) };
  });
}

import { foldCode } from "../../../fhir/fold-text.ts";
import { elementsOf } from "../../../fhir/parameter-elements.ts";
import { keyRangeOfType } from "../../../fhir/resource-key.ts";
import { resourceTypeId } from "../../../fhir/resource-types.ts";
import type { SearchParameter } from "../../../fhir/search-parameters.ts";
import { CASELESS_SYSTEM_TERMS, CODE_TERMS, LONGEST_SPELLED_CODE } from "../../../fhir/search-value.ts";
import type { Queryable } from "../../../postgres/pool.ts";
import { conditionSql } from "../../condition/condition-sql.ts";
import { resolveCondition } from "../resolve.ts";
import type {
  CompositeValue,
  CriteriaGroup,
  Criterion,
  CriterionValue,
  SimpleValue,
  TokenValue,
} from "../../criteria/criteria.ts";
import { sql, statement } from "../../../postgres/sql.ts";
import { tooCostly } from "../../cost/too-costly.ts";
import type { CodeSet } from "./code-set.ts";

/**
 * The same criteria with all the ways in which codes of case-insensitive code systems (CodeSystem.caseSensitive is false) are
 * written in what is stored: R4 search, 3.1.1.4.10. Which systems these are, and which spellings there are, is looked up when the
 * search is made, so that it does not matter whether the CodeSystem or the data came first.
 */
export async function withSpellings(
  db: Queryable,
  groups: readonly CriteriaGroup[],
): Promise<readonly CriteriaGroup[]> {
  const asked = tokensIn(groups);
  if (asked.length === 0) return groups;
  const spellings = await spellingsOf(db, asked);
  return spellings.size === 0 ? groups : groups.map((group) => spelledGroup(group, spellings));
}

/** The same codes with all their spellings, where their systems are case-insensitive. */
export async function withCodeSpellings(db: Queryable, set: CodeSet): Promise<CodeSet> {
  const asked = [...set.codes].flatMap(([system, members]) =>
    [...members].filter(hasCase).map((code): TokenValue => ({ type: "token", system, code })),
  );
  if (asked.length === 0) return set;
  const spellings = await spellingsOf(db, asked);
  if (spellings.size === 0) return set;
  const codes = [...set.codes].map(([system, members]) => {
    const all = [...members].flatMap((code) => spelled({ type: "token", system, code }, spellings));
    return [system, new Set(all.map(({ code = "" }) => code))] as const;
  });
  return { systems: set.systems, codes: new Map(codes) };
}

/** By their codes, without regard to case, what is stored of case-insensitive systems. */
type Spellings = ReadonlyMap<string, readonly { system: string; code: string }[]>;

/** What one search may look up. */
const MOST = 10_000;

async function spellingsOf(db: Queryable, asked: readonly TokenValue[]): Promise<Spellings> {
  const named = asked.flatMap(({ system }) => system ?? []);
  const systems = await caselessSystems(db, named.length === asked.length ? [...new Set(named)] : undefined);
  if (systems.size === 0) return new Map();
  const folds = [...new Set(asked.map(({ code = "" }) => foldCode(code)))];
  const { rows } = await db.query<{ folded: string }>(
    statement(sql`select s.folded from unnest(${folds.map((fold) => `${fold}\n`)}::text[], ${folds.map((fold) => `${fold}\v`)}::text[]) b (low, high)
        join search_dictionary s on s.parameter = ${CODE_TERMS} and left(s.folded, 64) >= b.low and left(s.folded, 64) < b.high
      limit ${MOST + 1}`),
  );
  if (rows.length > MOST) throw tooCostly(`its codes are written in more than ${MOST} ways`);
  const spellings = new Map<string, { system: string; code: string }[]>();
  for (const { folded } of rows) {
    const [fold = "", system = "", code = ""] = folded.split("\n");
    if (!systems.has(system)) continue;
    const known = spellings.get(fold);
    if (known === undefined) spellings.set(fold, [{ system, code }]);
    else known.push({ system, code });
  }
  return spellings;
}

/** Those of the systems, or of all there are, of which a stored CodeSystem says that case does not matter. */
async function caselessSystems(db: Queryable, asked: readonly string[] | undefined): Promise<ReadonlySet<string>> {
  const isAsked = asked === undefined ? sql`true` : sql`s.folded = any(${asked}::text[])`;
  const known = await db.query<{ value: string; folded: string }>(
    statement(sql`select s.value::text, s.folded from search_dictionary s
      where s.parameter = ${CASELESS_SYSTEM_TERMS} and ${isAsked} limit ${MOST}`),
  );
  if (known.rows.length === 0) return new Set();
  const { low, high } = keyRangeOfType(resourceTypeId("CodeSystem") ?? 0);
  const values = known.rows.map(({ value }) => BigInt(value));
  const isCaseless = await resolveCondition(db, {
    kind: "and",
    conditions: [
      { kind: "within", low, high },
      { kind: "holds", values },
    ],
  });
  const stored = await db.query<{ value: string }>(
    statement(sql`select distinct u.value::text as value from search_resource r, unnest(r.equality) u (value)
      where ${conditionSql(isCaseless)} and u.value = any(${values}::bigint[])`),
  );
  const current = new Set(stored.rows.map(({ value }) => value));
  return new Set(known.rows.filter(({ value }) => current.has(value)).map(({ folded }) => folded));
}

/** The tokens whose case may not matter, chains and `_has` included. */
function tokensIn(groups: readonly CriteriaGroup[]): TokenValue[] {
  return groups.flatMap(({ criteria }) => criteria.flatMap(tokensOf));
}

function tokensOf(criterion: Criterion): TokenValue[] {
  if (criterion.kind === "chain" || criterion.kind === "has") return tokensIn(criterion.groups);
  if (!isOfCodes(criterion)) return [];
  return criterion.values
    .flatMap((value) => (value.type === "composite" ? value.parts : [value]))
    .filter((value): value is TokenValue => value.type === "token" && isSpelled(value));
}

type Values = Extract<Criterion, { kind: "values" }>;

/** Whether values are compared with codes of code systems, those of identifiers and of custom elements aside. */
function isOfCodes(criterion: Criterion): criterion is Values {
  return (
    criterion.kind === "values" &&
    (criterion.comparison === "plain" || criterion.comparison === "not") &&
    (criterion.parameter.type === "composite" || hasCodings(criterion.parameter))
  );
}

function hasCodings(parameter: SearchParameter): boolean {
  return (
    parameter.type === "token" &&
    elementsOf(parameter).some(({ type }) => type === "CodeableConcept" || type === "Coding")
  );
}

function isSpelled({ system, code }: TokenValue): boolean {
  return system !== "" && code !== undefined && code.length <= LONGEST_SPELLED_CODE && hasCase(code);
}

function hasCase(code: string): boolean {
  return code.toLowerCase() !== code.toUpperCase();
}

function spelledGroup(group: CriteriaGroup, spellings: Spellings): CriteriaGroup {
  return { ...group, criteria: group.criteria.map((criterion) => spelledCriterion(criterion, spellings)) };
}

function spelledCriterion(criterion: Criterion, spellings: Spellings): Criterion {
  if (criterion.kind === "chain" || criterion.kind === "has") {
    return { ...criterion, groups: criterion.groups.map((group) => spelledGroup(group, spellings)) };
  }
  if (!isOfCodes(criterion)) return criterion;
  const values = criterion.values.flatMap((value): CriterionValue[] => {
    if (value.type === "composite") return spelledComposite(value, spellings);
    return value.type === "token" ? spelled(value, spellings) : [value];
  });
  return { ...criterion, values };
}

/** All combinations of the spellings of its parts. */
function spelledComposite({ parts }: CompositeValue, spellings: Spellings): CompositeValue[] {
  let combinations: SimpleValue[][] = [[]];
  for (const part of parts) {
    const all = part.type === "token" ? spelled(part, spellings) : [part];
    combinations = combinations.flatMap((before) => all.map((each) => [...before, each]));
    if (combinations.length > MOST) throw tooCostly(`its codes are written in more than ${MOST} ways`);
  }
  return combinations.map((combination) => ({ type: "composite", parts: combination }));
}

/** A token as it was asked for, and as it is written otherwise. */
function spelled(value: TokenValue, spellings: Spellings): TokenValue[] {
  if (!isSpelled(value)) return [value];
  const { system, code = "" } = value;
  const others = (spellings.get(foldCode(code)) ?? []).filter(
    (each) => each.code !== code && (system === undefined || each.system === system),
  );
  return [value, ...others.map((each): TokenValue => ({ type: "token", ...each }))];
}

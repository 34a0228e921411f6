import { StokerError } from "../../../base/errors.ts";
import type { StoredParameter } from "../../../fhir/derived-parameters.ts";
import { readCodeSystem, hierarchy, type CodeSystem } from "./code-system.ts";
import { codesOf, sizeOf, type CodeSet } from "./code-set.ts";
import { hashed, NEVER, remembered, type Condition, type Lookups } from "../../condition/condition.ts";
import type { TokenValue } from "../../criteria/criteria.ts";
import { tokenEqualities } from "../../condition/equality.ts";
import { withCodeSpellings } from "./spellings.ts";
import { expandValueSet } from "./value-set.ts";
import { terminologyWork } from "./work.ts";

/** The condition that a token is in a stored value set (`:in`); `name` is the parameter's. */
export function inValueSet(stored: readonly StoredParameter[], reference: string, name: string): Condition {
  return {
    kind: "lookup",
    find: async (lookups) => {
      const expand = (): Promise<CodeSet> => named(name, expandValueSet(lookups, reference));
      const codes = await remembered(lookups, `value set ${reference}`, expand);
      await spendTokens(lookups, stored, codes, name);
      const spelled = await withCodeSpellings(lookups.db, codes);
      return hashed(lookups, () => tokensOf(stored, spelled));
    },
  };
}

/**
 * The condition that a token is a code of a stored code system, or one below it (`:below`) or above it (`:above`) in the
 * system's hierarchy.
 */
export function inHierarchy(
  stored: readonly StoredParameter[],
  { system = "", code = "" }: TokenValue,
  direction: "above" | "below",
  name: string,
): Condition {
  return {
    kind: "lookup",
    find: async (lookups) => {
      const read = (): Promise<CodeSystem> => named(name, readCodeSystem(lookups, system));
      const codeSystem = await remembered(lookups, `code system ${system}`, read);
      const codes = await named(
        name,
        Promise.resolve().then(() => hierarchy(codeSystem, code, direction)),
      );
      const set = codesOf(system, codes);
      await spendTokens(lookups, stored, set, name);
      const spelled = await withCodeSpellings(lookups.db, set);
      return hashed(lookups, () => tokensOf(stored, spelled));
    },
  };
}

/** Codes become numbers, which takes as long as comparing some ten of them. */
async function spendTokens(
  lookups: Lookups,
  stored: readonly StoredParameter[],
  codes: CodeSet,
  name: string,
): Promise<void> {
  const work = await terminologyWork(lookups);
  await named(name, work.spend(10 * sizeOf(codes) * stored.length));
}

function tokensOf(stored: readonly StoredParameter[], { systems, codes }: CodeSet): Condition {
  const values = stored.flatMap(({ parameter }) => {
    const valuesOf = (token: Omit<TokenValue, "type">): bigint[] =>
      tokenEqualities(parameter, { type: "token", ...token });
    return [
      ...[...systems].flatMap((system) => valuesOf({ system })),
      ...[...codes].flatMap(([system, members]) => [...members].flatMap((code) => valuesOf({ system, code }))),
    ];
  });
  return values.length === 0 ? NEVER : { kind: "holds", values };
}

/** What the work throws, with the name of the parameter that asked for it. */
async function named<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof StokerError) || error.expression !== undefined) throw error;
    const { code, message, status, issue } = error;
    throw new StokerError(code, message, { status, issue, expression: name, cause: error });
  }
}

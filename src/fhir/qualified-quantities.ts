import { SEARCH_PARAMETERS, searchParameterById } from "./search-parameters.ts";

/**
 * Quantities that are asked for together with a code (`code` and `value-quantity`): the parameters of R4's composites of a
 * token and a quantity that meet in the resource itself. The rows of such a quantity carry the number of the resource's code
 * (form `code`, whatever its system) as their qualifier, so that one index leads to the values of one code. A resource with
 * several codes has its rows once for each; one without a code, or with more than {@link MOST_QUALIFIERS}, and what was
 * stored before there were qualifiers, has them without (zero).
 */
const TOKENS: ReadonlyMap<string, ReadonlyMap<number, number>> = tokensByType();

/** A resource with more codes than this has the rows of its quantities once, without a qualifier. */
export const MOST_QUALIFIERS = 4;

/** The ids of a type's quantities that are qualified, each with that of the token parameter that qualifies it. */
export function qualifiedQuantities(type: string): ReadonlyMap<number, number> {
  return TOKENS.get(type) ?? NONE;
}

const NONE: ReadonlyMap<number, number> = new Map();

function tokensByType(): ReadonlyMap<string, ReadonlyMap<number, number>> {
  const byType = new Map<string, Map<number, number>>();
  for (const [type, contexts] of SEARCH_PARAMETERS.flatMap(({ composite }) => Object.entries(composite ?? {}))) {
    for (const context of contexts) {
      if (context.context !== "root" || context.parameters.length !== 2) continue;
      const [token, quantity] = context.parameters.map(searchParameterById);
      if (token?.type !== "token" || quantity?.type !== "quantity") continue;
      const known = byType.get(type) ?? new Map<number, number>();
      byType.set(type, known.set(quantity.id, token.id));
    }
  }
  return byType;
}

// Which of HL7's SearchParameter definitions are R4's own, and the table of them that the product reads.

/** Canonical URL prefix of every definition. */
export const PREFIX = "http://hl7.org/fhir/SearchParameter/";

/** Why a definition is left out; undefined when it is one of R4's own. */
export function dropReason(definition) {
  const name = definition.url.slice(PREFIX.length);
  if (!definition.url.startsWith(PREFIX)) return "not HL7's";
  if (/^example($|-)/.test(name)) return "example of the SearchParameter page";
  if (/-(extensions|genetic)-/.test(name)) return "searches an extension, not an element of R4";
  if (definition.base === undefined || definition.base.length === 0) return "applies to no resource type";
  return undefined;
}

/**
 * HL7 4.0.1 puts the expressions of this composite's components the wrong way round: the component defined by
 * `relatesto` (a reference) has the expression `code`, the one defined by `relation` (a token) has `target`.
 */
const COMPONENT_EXPRESSIONS = new Map([[`${PREFIX}DocumentReference-relationship`, ["target", "code"]]]);

/**
 * The definitions that are kept, sorted by URL, in the shape of `src/fhir/search-parameters.ts`. A parameter's id is its place
 * in that order, from 1; ids from 10000 on are left for parameters that are not HL7's.
 */
export function parameterTable(definitions) {
  const kept = definitions
    .filter((definition) => dropReason(definition) === undefined)
    .toSorted((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : 0));
  const idOf = new Map(kept.map((definition, index) => [definition.url, index + 1]));
  const byUrl = new Map(kept.map((definition) => [definition.url, definition]));
  return kept.map((definition, index) => ({
    id: index + 1,
    url: definition.url,
    code: definition.code,
    type: definition.type,
    base: definition.base,
    target: definition.target ?? [],
    expression: definition.expression ?? "",
    components: (definition.component ?? []).map((component, place) => {
      const parameter = idOf.get(component.definition);
      if (parameter === undefined) throw new Error(`${definition.url}: unknown component ${component.definition}`);
      const expression = COMPONENT_EXPRESSIONS.get(definition.url)?.[place] ?? component.expression;
      const { type, target = [] } = byUrl.get(component.definition);
      return { parameter, type, target, expression };
    }),
  }));
}

/** The definitions that are left out, each with its reason. */
export function droppedDefinitions(definitions) {
  return definitions
    .map((definition) => ({ url: definition.url, reason: dropReason(definition) }))
    .filter((row) => row.reason !== undefined);
}

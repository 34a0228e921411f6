import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import { storedParameters, type StoredParameter } from "../../fhir/derived-parameters.ts";
import { canonicalKeyOf, ownCanonicalConstantOf } from "../../fhir/canonical-value.ts";
import { searchParameter, type SearchParameter } from "../../fhir/search-parameters.ts";
import { EqualityForm } from "../../fhir/search-value.ts";
import { anyCompartment } from "./any-compartment.ts";
import { refusingAmbiguous } from "./ambiguous-reference.ts";
import { careCondition } from "../types/care-dates.ts";
import { compositeCondition, compositePresence } from "../types/composite.ts";
import { ALWAYS, NEVER, remembered, type Condition, type KeyRange, type Lookups } from "../condition/condition.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { allOf } from "../condition/combine.ts";
import { oneOf } from "../condition/combine.ts";
import type { Comparison, CriteriaGroup, Criterion, CriterionValue } from "../criteria/criteria.ts";
import { belowCanonical, canonicalReferred, canonicalRefers } from "../resolve/canonical-links.ts";
import { refersByCanonical } from "../../fhir/parameter-elements.ts";
import { equalityOf, tokenEqualities } from "../condition/equality.ts";
import { hasId } from "../condition/ids.ts";
import { instantTest, stringContainsTest, stringPrefixTest, uriBelowTest } from "../condition/ordered.ts";
import { ownUrls, readReferenceKinds, type ReferenceKinds } from "../resolve/own-urls.ts";
import { qualifiersOf } from "../condition/qualifiers.ts";
import { keyRanges, referenceLinks, type ReferenceLink } from "../condition/reference-link.ts";
import {
  holdsAny,
  identifierCondition,
  presence,
  simpleCondition,
  stringRows,
  type ValueRules,
} from "../types/simple.ts";
import { sql, type Sql } from "../../postgres/sql.ts";
import { belowMediaType } from "../resolve/terminology/media-types.ts";
import { hasMediaTypes } from "../../fhir/token-case.ts";
import { inHierarchy, inValueSet } from "../resolve/terminology/terminology.ts";
import type { ReadLimits } from "../resolve/candidates.ts";
import { containedMatches, nestedLinks } from "../resolve/contained/contained-chain.ts";
import {
  containedCondition,
  isContainedCriterion,
  storedCondition,
  type Planning,
} from "../resolve/contained/contained-conditions.ts";
import { markerOf } from "../resolve/contained/contained-links.ts";
import type { ContainedSet } from "../resolve/contained/contained-set.ts";
import { textCondition, withoutTexts } from "../resolve/text/text-search.ts";

/** How criteria are understood. */
export interface SearchRules extends ValueRules {
  /** How much may be read to look for words, or into contained resources; what suits a server, where nothing else is said. */
  readLimits?: ReadLimits;
  /** This server's base: chains follow references that are written as URLs below it, too, and look into contained resources. */
  baseUrl?: string;
  /** Contained resources that the criteria are asked of, instead of stored ones. */
  contained?: ContainedSet | undefined;
  /** Of contained resources only equality values are known; these are the stored terms of contained resources. */
  told?: ReadonlySet<string> | undefined;
}

/** The condition that a row `r` of search_resource meets when its resource is found. */
export function searchCondition(groups: readonly CriteriaGroup[], rules: SearchRules): Condition {
  const { texts, others } = withoutTexts(groups);
  if (texts.length > 0 && rules.contained === undefined) {
    return textCondition(texts, searchCondition(others, rules), rules.readLimits);
  }
  const found = oneOf(groups.map((group) => groupCondition(group, rules)));
  const members = groups.flatMap(({ types, criteria }) =>
    criteria
      .filter(({ kind }) => kind === "member")
      .map((criterion) => criterionCondition(criterion, types ?? RESOURCE_TYPES, rules)),
  );
  // Types come into a compartment by different parameters: all of these are looked up at once, what they mean for a type
  // is tested on the few rows that this finds.
  return groups.length > 1 && members.length === groups.length ? allOf([oneOf(members), found]) : found;
}

/** The condition that a row `r` is of one of the searched types, whatever else is asked. */
export function scopeCondition(groups: readonly CriteriaGroup[]): Sql {
  return conditionSql(oneOf(groups.map(({ types }) => (types === undefined ? ALWAYS : typesCondition(types)))));
}

/** The one range of keys that all matches have; undefined where they can be of several types. */
export function scopeRange(groups: readonly CriteriaGroup[]): KeyRange | undefined {
  const [group, ...others] = groups;
  const [range, ...further] = group?.types === undefined ? [] : keyRanges(group.types);
  return others.length + further.length > 0 ? undefined : range;
}

function groupCondition({ types, criteria }: CriteriaGroup, given: SearchRules): Condition {
  const rules = { ...given, qualifiers: qualifiersOf(types, criteria) };
  const conditions = criteria.map((criterion) =>
    criterion.kind === "chain" && rules.contained === undefined
      ? chainCondition(criterion, { types, criteria }, rules)
      : criterionCondition(criterion, types ?? RESOURCE_TYPES, rules),
  );
  if (types === undefined) return allOf(conditions);
  return allOf([typesCondition(types), ...conditions.map((condition) => ofTypes(condition, types))]);
}

/** A parameter's rows are those of all types that have it; most need not be joined. */
function ofTypes(condition: Condition, types: readonly string[]): Condition {
  const [range, ...others] = keyRanges(types);
  if ((condition.kind !== "row" && condition.kind !== "rows") || range === undefined || others.length > 0)
    return condition;
  return { ...condition, range };
}

function typesCondition(types: readonly string[]): Condition {
  return oneOf(keyRanges(types).map(({ low, high }) => ({ kind: "within", low, high })));
}

/** Contained resources are looked for in what meets the group's other criteria. */
function chainCondition(
  { parameter, groups }: Criterion & { kind: "chain" },
  { types, criteria }: CriteriaGroup,
  rules: SearchRules,
): Condition {
  const { told: pairs } = rules;
  const links = referenceLinks(parameter, types ?? RESOURCE_TYPES);
  const byCanonical = (target: Condition): Condition =>
    refersByCanonical(parameter) ? canonicalRefers(parameter, types ?? RESOURCE_TYPES, target) : NEVER;
  if (pairs !== undefined) {
    const nested = groups.flatMap((group) => nestedLinks(parameter, types ?? RESOURCE_TYPES, group, pairs));
    const target: Condition = {
      kind: "lookup",
      find: (lookups) => storedCondition(lookups, groups, planning(rules)),
    };
    const stored = followed(links, rules, (each) => ({ kind: "refers", links: each, target }));
    return oneOf([stored, byCanonical(target), { kind: "holds", values: nested.map(markerOf) }]);
  }
  const target = searchCondition(groups, rules);
  const others = { types, criteria: criteria.filter(({ kind }) => kind !== "chain" && kind !== "text") };
  const stored = followed(
    links,
    rules,
    (each) => ({ kind: "refers", links: each, target }),
    (lookups, { contained }) =>
      containedMatches(
        lookups,
        {
          parameter,
          types,
          groups,
          others: groupCondition(others, rules),
          plan: planning(rules),
          limits: rules.readLimits,
        },
        contained,
      ),
  );
  return oneOf([stored, byCanonical(target)]);
}

function planning(rules: SearchRules): Planning {
  return (groups, { set: contained, told } = {}) => searchCondition(groups, { ...rules, contained, told });
}

function criterionCondition(criterion: Criterion, types: readonly string[], rules: SearchRules): Condition {
  const { contained: set, baseUrl = "" } = rules;
  if (set !== undefined && isContainedCriterion(criterion)) {
    return containedCondition(criterion, types, { set, plan: planning(rules), baseUrl });
  }
  switch (criterion.kind) {
    case "always":
      return criterion.matches ? ALWAYS : NEVER;
    case "id": {
      const condition = hasId(types, criterion.ids);
      return criterion.negated ? { kind: "not", condition } : condition;
    }
    case "lastUpdated":
      return oneOf(
        criterion.values.map((value) => ({ kind: "sql", test: instantTest(value, sql`r.last_updated`, rules) })),
      );
    case "missing": {
      const present = parameterPresence(criterion.parameter, types);
      return criterion.missing ? { kind: "not", condition: present } : present;
    }
    case "has": {
      const source = searchCondition(criterion.groups, rules);
      const links = referenceLinks(criterion.parameter, [criterion.type], types);
      const referred = followed(links, rules, (each) => ({ kind: "referred", links: each, source }));
      if (!refersByCanonical(criterion.parameter)) return referred;
      return oneOf([referred, canonicalReferred(criterion.parameter, criterion.type, source)]);
    }
    case "chain":
    case "text":
      throw new TypeError("it is evaluated together with the other criteria");
    case "care":
      return careCondition(criterion, types);
    case "anyMember":
      return anyCompartment(criterion, types, baseUrl);
    case "member": {
      const { parameters, target, url, isItself } = criterion;
      const value = { type: "reference", targets: [target], texts: [url] } as const;
      const refers = parameters.map((parameter) => simpleCondition(storedParameters(parameter, types), value, rules));
      return isItself
        ? oneOf([...refers, { kind: "keys", keys: [resourceKeyOf(target.type, target.id)] }])
        : oneOf(refers);
    }
    default: {
      const { parameter, comparison, values } = criterion;
      const conditions = values.map((value) => valueCondition(parameter, comparison, value, types, rules));
      const found = oneOf(conditions);
      const isStored = set === undefined && rules.told === undefined;
      const condition = isStored ? refusingAmbiguous(found, parameter, values, types) : found;
      return comparison === "not" || comparison === "not-in" ? { kind: "not", condition } : condition;
    }
  }
}

/**
 * The condition that follows the links, those of references that are written as URLs of this server included, or that what is
 * asked `beside` them is found.
 */
function followed(
  links: readonly ReferenceLink[],
  { baseUrl }: SearchRules,
  follow: (links: readonly ReferenceLink[]) => Condition,
  beside: (lookups: Lookups, kinds: ReferenceKinds) => Promise<Condition> = async () => NEVER,
): Condition {
  if (baseUrl === undefined) return follow(links);
  return {
    kind: "lookup",
    find: async (lookups) => {
      const kinds = await remembered(lookups, "references", () => readReferenceKinds(lookups.db, baseUrl));
      const found = follow(kinds.ownUrls ? [...links, ...ownUrls(links, baseUrl)] : links);
      return oneOf([found, await beside(lookups, kinds)]);
    },
  };
}

function parameterPresence(parameter: SearchParameter, types: readonly string[]): Condition {
  if (parameter.type === "composite") return compositePresence(parameter, types);
  return presence(storedParameters(parameter, types));
}

function valueCondition(
  parameter: SearchParameter,
  comparison: Comparison,
  value: CriterionValue,
  types: readonly string[],
  rules: ValueRules,
): Condition {
  if (value.type === "composite") return compositeCondition(parameter, value, types, rules);
  const stored = storedParameters(parameter, types);
  if (value.type === "token" && comparison === "identifier") return identifierCondition(stored, value);
  if (value.type === "token" && comparison === "of-type") {
    return holdsAny(stored, (id) => equalityOf(id, EqualityForm.ofType, value.code ?? ""));
  }
  const name = `${parameter.code}:${comparison}`;
  if (value.type === "token" && comparison === "below" && hasMediaTypes(parameter)) {
    return belowMediaType(stored, value.code ?? "");
  }
  if (value.type === "token" && (comparison === "above" || comparison === "below")) {
    return inHierarchy(stored, value, comparison, name);
  }
  if (value.type === "string" && (comparison === "in" || comparison === "not-in")) {
    return inValueSet(stored, value.text, name);
  }
  if (value.type === "string") return stringCondition(stored, comparison, value.text);
  if (value.type === "reference" && comparison === "below") return belowCanonical(stored, value);
  if (value.type === "uri" && value.version !== undefined) {
    const isUrl = simpleCondition(stored, { type: "uri", text: value.text }, rules);
    return allOf([isUrl, versionCondition(types, value.text, value.version)]);
  }
  if (value.type === "uri" && comparison !== "plain") return uriCondition(stored, comparison, value.text);
  return simpleCondition(stored, value, rules);
}

/** That a resource with a canonical URL has this business version: by its parameter, or, where it has none, as it is written. */
function versionCondition(types: readonly string[], url: string, version: string): Condition {
  return oneOf(
    types.flatMap((type) => {
      const parameter = searchParameter(type, "version");
      if (parameter === undefined) return { kind: "holds", values: [ownCanonicalOf(`${url}|${version}`)] };
      return storedParameters(parameter, [type]).map(({ parameter: id }): Condition => {
        return { kind: "holds", values: tokenEqualities(id, { type: "token", code: version }) };
      });
    }),
  );
}

function ownCanonicalOf(canonical: string): bigint {
  return canonicalKeyOf(canonical) ^ ownCanonicalConstantOf("url|version");
}

function stringCondition(stored: readonly StoredParameter[], comparison: Comparison, text: string): Condition {
  switch (comparison) {
    case "exact":
      return holdsAny(stored, (id) => equalityOf(id, EqualityForm.stringExact, text));
    case "text":
      return { kind: "term", parameters: stored.map(({ parameter }) => parameter), test: stringPrefixTest(text) };
    case "contains":
      return stringRows(stored, stringContainsTest(text));
    default:
      return stringRows(stored, stringPrefixTest(text));
  }
}

/** Contract 10.8: plain string prefixes, without path segments; `urn:` uris never take part. */
function uriCondition(stored: readonly StoredParameter[], comparison: Comparison, text: string): Condition {
  if (text.startsWith("urn:")) return NEVER;
  if (comparison === "below") return stringRows(stored, uriBelowTest(text));
  const beginnings = Array.from({ length: text.length }, (_, index) => text.slice(0, index + 1));
  return oneOf(beginnings.map((beginning) => holdsAny(stored, (id) => equalityOf(id, EqualityForm.uri, beginning))));
}

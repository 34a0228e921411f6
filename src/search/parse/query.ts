import { StokerError } from "../../base/errors.ts";
import { R4_SEARCH_PARAMETERS, type SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { RESOURCE_TYPES, resourceTypeId } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { isCanonicalType } from "../../index/canonicals.ts";
import { refersByCanonical } from "../../fhir/parameter-elements.ts";
import { compartmentCriterion, typesInCompartment, type Compartment } from "./compartment.ts";
import { parseControl, type Control } from "./control.ts";
import type { Comparison, CriteriaGroup, Criterion, CriterionValue } from "../criteria/criteria.ts";
import { checkChain } from "./followable.ts";
import { alternativesIn, isEmptyValue, unescape } from "../criteria/escape.ts";
import {
  chainTypes,
  findableTypes,
  isKnownHas,
  parseFilter,
  referenceParameter,
  SPECIAL,
  typesMeant,
  type Filter,
} from "./filter-name.ts";
import { hasMediaTypes } from "../../fhir/token-case.ts";
import { checkElements } from "../projection/shape.ts";
import type { TextPlace } from "../criteria/criteria.ts";
import { parseSort, type SortKey } from "./sort.ts";
import {
  checkLengths,
  newValueBudget,
  spendEqualities,
  spendTests,
  spendValue,
  spendWords,
  type ValueBudget,
} from "../cost/value-budget.ts";
import { parseWords } from "../criteria/words.ts";
import { checkSystem } from "../types/token-system.ts";
import { malformed } from "../criteria/value-context.ts";
import {
  parseCanonicalUrl,
  parseDate,
  parseMediaType,
  parseOfType,
  parseSystemCode,
  parseToken,
  parseValue,
  parseValueSet,
} from "../types/values.ts";

/** A search as it came in. */
export interface SearchRequest {
  /** The type in the path; undefined for a search over all types. */
  type: string | undefined;
  /** Confines the search to a compartment. */
  compartment?: Compartment;
  /** Decoded names and values in the order of the query, FHIR escapes still in place. */
  parameters: readonly (readonly [name: string, value: string])[];
  /** `Prefer: handling=strict`: parameters we do not know are an error instead of a warning. */
  strict: boolean;
  /** This server's base, without a slash at the end. */
  baseUrl: string;
  /** The search parameters there are; R4's, where nothing else is said. */
  lookup?: SearchParameterLookup;
}

/** A search that has been understood. */
export interface SearchQuery extends Omit<Control, "sort"> {
  /** Empty: the order of keys. */
  sort: readonly SortKey[];
  /** Joined by OR. */
  groups: readonly CriteriaGroup[];
  /** The parameters that were used, for the self link. */
  used: readonly (readonly [name: string, value: string])[];
  /** Texts about the parameters that were not. */
  warnings: readonly string[];
}

/**
 * Understands a query (R4 search; contract 10). Pure. Throws `bad-request` on a value or result parameter that makes no
 * sense, `not-supported` on a modifier, chain or filter that exists in FHIR and not here, and, for a strict request, on
 * a name that means nothing, or a parameter without a value. Names that mean nothing are warnings otherwise, and empty
 * parameters are left out (R4 3.1.1.3).
 */
export function parseQuery(given: SearchRequest): SearchQuery {
  const request = { ...given, parameters: withoutEmpty(given) };
  const control = parseControl(request.parameters, lookupOf(request));
  const warnings = control.ignored.map((name) => `Parameter '${name}' is not supported and was ignored.`);
  const unknown = [...control.ignored];
  const used: (readonly [string, string])[] = [];
  const types = searchedTypes(request);
  const filters: Filter[] = [];
  for (const [name, value] of control.filters) {
    if (request.type === undefined && (name === "_type" || name === "_type:not")) {
      used.push([name, value]);
      continue;
    }
    const filter = parseFilter(name, value);
    if (meansSomething(filter, types ?? RESOURCE_TYPES, lookupOf(request))) {
      filters.push(filter);
      used.push([name, value]);
    } else {
      warnings.push(unknownText(name, request.type));
      unknown.push(name);
    }
  }
  if (request.strict && warnings[0] !== undefined) {
    const expression = unknown[0] === undefined ? {} : { expression: unknown[0].slice(0, 64) };
    throw new StokerError("bad-request", warnings[0].replace(" and was ignored", ""), expression);
  }
  const sort = parseSort(control.sort, types, lookupOf(request));
  if (Array.isArray(control.shape)) checkElements(control.shape, types ?? RESOURCE_TYPES);
  return {
    ...control,
    sort,
    groups: confined(group(types, filters, { ...request, links: { count: 0 }, budget: newValueBudget() }), request),
    used: [...used, ...control.used],
    warnings,
  };
}

function withoutEmpty({ parameters, strict }: SearchRequest): SearchRequest["parameters"] {
  const empty = parameters.find(([, value]) => isEmptyValue(value));
  if (empty === undefined) return parameters;
  if (strict) throw malformed({ name: empty[0].slice(0, 64) }, "it has no value");
  return parameters.filter(([, value]) => !isEmptyValue(value));
}

function lookupOf({ lookup = R4_SEARCH_PARAMETERS }: SearchRequest): SearchParameterLookup {
  return lookup;
}

function searchedTypes(request: SearchRequest): readonly string[] | undefined {
  if (request.type !== undefined) {
    return request.compartment === undefined ? [request.type] : typesInCompartment(request.compartment, request.type);
  }
  let types = request.compartment && typesInCompartment(request.compartment, undefined);
  for (const [name, value] of request.parameters) {
    if (name !== "_type" && name !== "_type:not") continue;
    const listed = alternativesIn(value).map(unescape);
    const unknown = listed.find((type) => resourceTypeId(type) === undefined);
    if (unknown !== undefined) throw malformed({ name }, "not a list of resource types");
    types = (types ?? RESOURCE_TYPES).filter((type) => listed.includes(type) === (name === "_type"));
  }
  return types;
}

/** A chain that means nothing is no name that may be ignored. A `_has` means something for types that it cannot find, too. */
function meansSomething(filter: Filter, types: readonly string[], lookup: SearchParameterLookup): boolean {
  if (filter.kind === "has" && isKnownHas(filter, lookup)) return true;
  if (types.length > 0 && typesMeant(filter, types, lookup).length === types.length) return true;
  if (filter.kind === "plain") return SPECIAL.has(filter.code);
  throw malformed(filter, "its reference parameters do not lead from the searched types to a known parameter");
}

function unknownText(name: string, type: string | undefined): string {
  return type === undefined
    ? `Search parameter '${name}' is not known for all of the searched types and was ignored.`
    : `Search parameter '${name}' is not known for ${type} and was ignored.`;
}

/** A request with what has been made of it so far. */
interface Parsing extends SearchRequest {
  /** Chains and `_has`, each for the types that have it in common. */
  readonly links: { count: number };
  readonly budget: ValueBudget;
}

/** Puts the types for which all names mean the same parameters into one group. */
function group(
  types: readonly string[] | undefined,
  filters: readonly Filter[],
  request: Parsing,
): readonly CriteriaGroup[] {
  const groups = new Map<string, { types: string[]; definitions: (SearchParameter | undefined)[] }>();
  const searched = types ?? RESOURCE_TYPES;
  // The types that a `_has` cannot find do not match.
  const possible = filters.reduce((left, filter) => findableTypes(filter, left, lookupOf(request)), searched);
  if (possible.length === 0 && searched.length > 0) return [{ types, criteria: [{ kind: "always", matches: false }] }];
  for (const type of possible) {
    const definitions = filters.map((filter) => definitionOf(filter, type, lookupOf(request)));
    const signature = definitions.map((definition) => definition?.id ?? "").join();
    const known = groups.get(signature);
    if (known === undefined) groups.set(signature, { types: [type], definitions });
    else known.types.push(type);
  }
  return [...groups.values()].map(({ types: members, definitions }) => ({
    types: types === undefined && groups.size === 1 && possible.length === searched.length ? undefined : members,
    criteria: filters.map((filter, index) => parseCriterion(filter, definitions[index], request)),
  }));
}

/** The groups confined to a compartment: types come into it by different parameters. */
function confined(groups: readonly CriteriaGroup[], { compartment, baseUrl }: SearchRequest): readonly CriteriaGroup[] {
  if (compartment === undefined) return groups;
  return groups.flatMap(({ types = [], criteria }) =>
    types.map((type) => ({ types: [type], criteria: [compartmentCriterion(compartment, type, baseUrl), ...criteria] })),
  );
}

function definitionOf(filter: Filter, type: string, lookup: SearchParameterLookup): SearchParameter | undefined {
  return filter.kind === "has" || SPECIAL.has(filter.code) ? undefined : lookup.find(type, filter.code);
}

/** `parameter` is undefined for what has no values of its own. */
function parseCriterion(filter: Filter, parameter: SearchParameter | undefined, request: Parsing): Criterion {
  if (filter.kind === "plain") return parsePlain(filter, parameter, request);
  if (++request.links.count > MAX_LINKS) throw tooManyTypes(filter);
  if (filter.kind === "has") {
    const reference = referenceParameter(filter.type, filter.code, lookupOf(request));
    if (reference === undefined) throw malformed(filter, "no reference parameter");
    return {
      kind: "has",
      type: filter.type,
      parameter: reference,
      groups: group([filter.type], [filter.rest], request),
    };
  }
  if (parameter === undefined) throw malformed(filter, "no reference parameter");
  checkChain(parameter, filter.name);
  return {
    kind: "chain",
    parameter,
    groups: group(chainTypes(filter, parameter, lookupOf(request)), [filter.rest], request),
  };
}

/**
 * Steps from one set of types to another that a search may have: a chain that names no types branches at each of its
 * steps, wherever types mean different parameters by its name.
 */
const MAX_LINKS = 500;

function tooManyTypes({ name }: Filter): StokerError {
  const text = `Search parameter '${name.slice(0, 200)}' leads over too many types: name the type, as in 'subject:Patient'.`;
  return new StokerError("too-costly", text, { status: 400, expression: name.slice(0, 200) });
}

type PlainFilter = Filter & { kind: "plain" };

function parsePlain(filter: PlainFilter, parameter: SearchParameter | undefined, request: Parsing): Criterion {
  const { name, modifier, value } = filter;
  const { budget } = request;
  const context = { name, baseUrl: request.baseUrl };
  if (modifier === "missing" && !WITHOUT_MISSING.has(filter.code)) {
    const missing = parseBoolean(filter);
    if (parameter !== undefined) return { kind: "missing", parameter, missing };
    return { kind: "always", matches: !missing, column: filter.code };
  }
  const alternatives = alternativesIn(value);
  if (alternatives.length > MAX_ALTERNATIVES) throw malformed(filter, `more than ${MAX_ALTERNATIVES} values`);
  checkLengths(name, alternatives, modifier);
  if (parameter === undefined) {
    if (filter.code === "_id" && (modifier === undefined || modifier === "not")) {
      spendEqualities(budget, name, alternatives.length);
      const ids = alternatives.map((text) => parseToken(text, context).code ?? "");
      return { kind: "id", ids, negated: modifier === "not" };
    }
    if (filter.code === "_lastUpdated" && modifier === undefined) {
      spendTests(budget, name, alternatives.length);
      return { kind: "lastUpdated", values: alternatives.map((text) => parseDate(text, context)) };
    }
    if (filter.code === "_list" && modifier === undefined) return listCriterion(filter, alternatives);
    const place = TEXT_PLACES.get(filter.code);
    if (place !== undefined && modifier === undefined) {
      spendWords(budget, name, alternatives.length);
      const tests = alternatives.map((text) => parseWords(unescape(text), name));
      return { kind: "text", name, place, test: { kind: "or", tests } };
    }
    throw unsupportedModifier(filter, undefined);
  }
  const { comparison, referenceType } = parseModifier(filter, parameter);
  const parse = valueParser(
    parameter,
    comparison,
    referenceType === undefined ? context : { ...context, referenceType },
  );
  const values = alternatives.map((text) => {
    const parsed = parse(text);
    // At once: an id alone becomes hundreds of values.
    spendValue(budget, name, { parameter, comparison, value: parsed });
    return parsed;
  });
  return { kind: "values", parameter, comparison, values };
}

const TEXT_PLACES: ReadonlyMap<string, TextPlace> = new Map([
  ["_text", "narrative"],
  ["_content", "content"],
]);
const WITHOUT_MISSING: ReadonlySet<string> = new Set(["_list", ...TEXT_PLACES.keys()]);

/** Members of stored lists. */
function listCriterion(filter: PlainFilter, alternatives: readonly string[]): Criterion {
  const ids = alternatives.map((text) => unescape(text).replace(/^List\//, ""));
  if (ids.some((id) => id.startsWith("$"))) {
    throw new StokerError(
      "not-supported",
      "Search parameter '_list': operational lists such as $current-problems are not supported.",
      {
        expression: filter.name,
      },
    );
  }
  const parameter = referenceParameter("List", "item", R4_SEARCH_PARAMETERS);
  if (parameter === undefined) throw malformed(filter, "no lists");
  const groups = [{ types: ["List"], criteria: [{ kind: "id", ids, negated: false }] }] as const;
  return { kind: "has", type: "List", parameter, groups };
}

/** As many values as one parameter may list: keeps statements far below PostgreSQL's 65,535 parameters. */
const MAX_ALTERNATIVES = 5000;

function valueParser(
  parameter: SearchParameter,
  comparison: Comparison,
  context: Parameters<typeof parseValue>[2],
): (text: string) => CriterionValue {
  if (comparison === "identifier") return (text) => parseToken(text, context);
  if (comparison === "of-type") return (text) => parseOfType(text, context);
  if (comparison === "text") return (text) => parseValue({ ...parameter, type: "string" }, text, context);
  if (comparison === "in" || comparison === "not-in") return (text) => parseValueSet(text, context);
  if (comparison === "below" && parameter.type === "token" && hasMediaTypes(parameter)) {
    return (text) => parseMediaType(text, context);
  }
  if (comparison === "above" && parameter.type === "token" && hasMediaTypes(parameter)) {
    return (text) => {
      if ((parseToken(text, context).system ?? "") === "") throw aboveMediaType(context.name);
      return parseSystemCode(text, context);
    };
  }
  if (parameter.type === "token" && (comparison === "above" || comparison === "below")) {
    return (text) => parseSystemCode(text, context);
  }
  if (comparison === "plain" && isCanonicalUrl(parameter)) return (text) => parseCanonicalUrl(text, context);
  return (text) => {
    const value = parseValue(parameter, text, context);
    return value.type === "token" ? checkSystem(parameter, value, context) : value;
  };
}

function aboveMediaType(name: string): StokerError {
  const text = `Modifier ':above' of search parameter '${name}' is not supported for media types, which take ':below': it finds all with other parameters, or of one family (image/*).`;
  return new StokerError("not-supported", text, { expression: name });
}

/** `url` of the types that are referred to by canonical URL. */
function isCanonicalUrl({ type, code, base }: SearchParameter): boolean {
  return type === "uri" && code === "url" && base.every(isCanonicalType);
}

function parseModifier(
  filter: PlainFilter,
  parameter: SearchParameter,
): { comparison: Comparison; referenceType?: string } {
  const { modifier } = filter;
  if (modifier === undefined) return { comparison: "plain" };
  const known = MODIFIERS[parameter.type]?.find((comparison) => comparison === modifier);
  if (known !== undefined) return { comparison: known };
  if (parameter.type === "reference" && resourceTypeId(modifier) !== undefined) {
    return { comparison: "plain", referenceType: modifier };
  }
  if (modifier === "below" && parameter.type === "reference" && refersByCanonical(parameter)) {
    return { comparison: "below" };
  }
  if (parameter.type === "reference" && (modifier === "above" || modifier === "below")) {
    throw new StokerError(
      "not-supported",
      `Modifier ':${modifier}' of search parameter '${filter.name}' is not supported: hierarchies of resources are not followed. Use a chain for a fixed number of steps; ':below' works for canonical references, tokens and uris, ':above' for tokens and uris.`,
      { expression: filter.name },
    );
  }
  throw unsupportedModifier(filter, parameter);
}

/** Modifiers by type of parameter, beside `:missing` and, for references, `:[type]`. */
export const MODIFIERS: { readonly [type: string]: readonly Comparison[] } = {
  token: ["not", "text", "of-type", "in", "not-in", "above", "below"],
  string: ["exact", "contains"],
  uri: ["above", "below"],
  reference: ["identifier"],
};

function unsupportedModifier({ name, modifier }: PlainFilter, parameter: SearchParameter | undefined): StokerError {
  const text = `Modifier ':${modifier ?? ""}' of search parameter '${name}' is not supported.`;
  const diagnostics = parameter === undefined ? text : `${text} ${supportedModifiers(parameter)}`;
  return new StokerError("not-supported", diagnostics, { expression: name });
}

function supportedModifiers({ type }: SearchParameter): string {
  const known = ["missing", ...(MODIFIERS[type] ?? []), ...(type === "reference" ? ["[type]"] : [])];
  return `A parameter of type ${type} takes ${known.map((each) => `:${each}`).join(", ")}.`;
}

function parseBoolean(filter: PlainFilter): boolean {
  if (filter.value === "true") return true;
  if (filter.value === "false") return false;
  throw malformed(filter, "the value must be true or false");
}

import { StokerError } from "../../base/errors.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { SearchParameter, SearchParameterType } from "../../fhir/search-parameters.ts";
import type {
  CompositeValue,
  CriterionValue,
  DateValue,
  Prefix,
  QuantityValue,
  ReferenceValue,
  SimpleValue,
  StringValue,
  TokenValue,
} from "./criteria.ts";
import { PREFIXES } from "./criteria.ts";
import { parseNear } from "../conditions/near.ts";
import { parseDecimal } from "./decimal.ts";
import { MEDIA_TYPES } from "../../fhir/token-case.ts";
import { splitEscaped, unescape } from "./escape.ts";
import { NO_DATE, queryDateRange } from "./query-date.ts";

/** What the meaning of a value depends on beside its text. */
export interface ValueContext {
  /** The parameter as written in the query, for messages: `value-quantity`, `subject:Patient`. */
  name: string;
  /** This server's base, without a slash at the end: references to it are references to resources here. */
  baseUrl: string;
  /** The type in `subject:Patient`. */
  referenceType?: string;
}

/**
 * Reads one value (no unescaped commas left) of a parameter, FHIR escapes included (contract 10.3 to 10.9). Throws
 * `bad-request` naming the parameter when the text is no value of its type.
 */
export function parseValue(parameter: SearchParameter, raw: string, context: ValueContext): CriterionValue {
  if (parameter.type === "composite") return parseComposite(parameter, raw, context);
  return parseSimple(parameter.type, parameter.target, raw, context);
}

/** A token: `code`, `system|code`, `|code`, `system|` (contract 10.6). */
export function parseToken(raw: string, context: ValueContext): TokenValue {
  const [first = "", ...rest] = splitEscaped(raw, "|");
  if (rest.length === 0) return { type: "token", code: unescape(nonEmpty(first, context)) };
  const system = unescape(first);
  const code = unescape(rest.join("|"));
  if (system === "" && code === "") throw malformed(context, "a token needs a system or a code");
  return code === "" ? { type: "token", system } : { type: "token", system, code };
}

/** An identifier by its type, `system|code|value` (`:of-type`), as the text that is stored. */
export function parseOfType(raw: string, context: ValueContext): TokenValue {
  const parts = splitEscaped(raw, "|").map(unescape);
  if (parts.length !== 3 || parts.includes("")) throw malformed(context, "needs system|code|value");
  return { type: "token", code: parts.join("|") };
}

/** A code with its system, `system|code` (`:above`, `:below`). */
export function parseSystemCode(raw: string, context: ValueContext): TokenValue {
  const token = parseToken(raw, context);
  if ((token.system ?? "") === "" || token.code === undefined) {
    throw malformed(context, "needs system|code, for hierarchies are those of code systems");
  }
  return token;
}

/** A media type, or the first part of one, with or without their code system (`:below`). */
export function parseMediaType(raw: string, context: ValueContext): TokenValue {
  const { system, code } = parseToken(raw, context);
  if (code === undefined || ![undefined, MEDIA_TYPES].includes(system)) {
    throw malformed(context, "needs a media type such as text/xml, or the first part of one");
  }
  return { type: "token", code };
}

/** A value set, `ValueSet/id` or a canonical URL (`:in`, `:not-in`). */
export function parseValueSet(raw: string, context: ValueContext): StringValue {
  const text = unescape(nonEmpty(raw, context));
  const own = `${context.baseUrl}/ValueSet/`;
  return { type: "string", text: text.startsWith(own) ? text.slice(context.baseUrl.length + 1) : text };
}

/** A date with its prefix (contract 10.3). */
export function parseDate(raw: string, context: ValueContext): DateValue {
  const { prefix, rest } = splitPrefix(raw, context);
  const range = queryDateRange(rest);
  if (range === undefined) throw malformed(context, NO_DATE);
  return { type: "date", prefix, low: range.low, high: range.high };
}

/** The `bad-request` for a value that makes no sense; values themselves are not repeated (they may be personal data). */
export function malformed(context: { name: string }, why: string): StokerError {
  return new StokerError("bad-request", `Search parameter '${context.name}': ${why}.`, { expression: context.name });
}

function parseSimple(
  type: SearchParameterType,
  targets: readonly string[],
  raw: string,
  context: ValueContext,
): SimpleValue {
  nonEmpty(raw, context);
  switch (type) {
    case "token":
      return parseToken(raw, context);
    case "string":
      return { type: "string", text: unescape(raw) };
    case "uri":
      return { type: "uri", text: unescape(raw) };
    case "reference":
      return parseReference(unescape(raw), targets, context);
    case "date":
      return parseDate(raw, context);
    case "number":
    case "quantity":
      return parseQuantity(raw, type === "number", context);
    case "special": {
      const near = parseNear(raw);
      if (typeof near === "string") throw malformed(context, near);
      return near;
    }
    default:
      throw malformed(context, `parameters of type ${type} are not supported`);
  }
}

function parseComposite(parameter: SearchParameter, raw: string, context: ValueContext): CompositeValue {
  const parts = splitEscaped(raw, "$");
  if (parts.length !== parameter.components.length) {
    throw malformed(context, `needs ${parameter.components.length} values joined by $`);
  }
  return {
    type: "composite",
    parts: parameter.components.map((component, index) =>
      parseSimple(component.type, component.target, parts[index] ?? "", context),
    ),
  };
}

function parseQuantity(raw: string, plain: boolean, context: ValueContext): QuantityValue {
  const { prefix, rest } = splitPrefix(raw, context);
  const [text = "", system = "", code = "", ...more] = splitEscaped(rest, "|");
  const number = parseDecimal(unescape(text));
  if (number === undefined) throw malformed(context, "not a number such as 7, -7.50 or 4e-3");
  if (plain && rest !== text) throw malformed(context, "a number has no unit; leave out what stands behind the |");
  if (more.length > 0) throw malformed(context, QUANTITY_FORMS);
  // A system alone is legal, but `5.4|mg` is a common mistake, and finds nothing.
  if (code === "" && system !== "" && !system.includes(":")) {
    throw malformed(context, `${QUANTITY_FORMS}; behind a single | stands a system, which is a URI`);
  }
  const value: QuantityValue = { type: "quantity", prefix, number };
  if (system !== "") value.system = unescape(system);
  if (code !== "") value.code = unescape(code);
  return value;
}

const QUANTITY_FORMS = "a quantity is number, number|system|code or number||code";

/** Contract 10.7: `Type/id`, a bare id, or a URL, of which those below the own base are relative in truth. */
function parseReference(text: string, types: readonly string[], context: ValueContext): ReferenceValue {
  const own = `${context.baseUrl}/`;
  const relative = text.startsWith(own) ? text.slice(own.length) : text;
  const typed = TYPED_REFERENCE.exec(relative);
  const type = typed?.[1] ?? "";
  const id = typed?.[2] ?? "";
  if (resourceTypeId(type) !== undefined) {
    if (context.referenceType !== undefined && context.referenceType !== type) {
      throw malformed(context, `the value refers to another type, ${type}`);
    }
    return { type: "reference", targets: [{ type, id }], texts: [`${own}${type}/${id}`] };
  }
  if (!BARE_ID.test(text)) {
    const [, url = text, named = ""] = RESOURCE_URL.exec(text) ?? [];
    if (resourceTypeId(named) === undefined) return { type: "reference", targets: [], texts: [text] };
    if (context.referenceType !== undefined && context.referenceType !== named) {
      throw malformed(context, `the value refers to another type, ${named}`);
    }
    return { type: "reference", targets: [], texts: [url] };
  }
  if (context.referenceType !== undefined) {
    const { referenceType: type } = context;
    return { type: "reference", targets: [{ type, id: text }], texts: [`${own}${type}/${text}`] };
  }
  const urls = types.map((type) => `${own}${type}/${text}`);
  return { type: "reference", targets: types.map((type) => ({ type, id: text })), texts: [text, ...urls] };
}

const TYPED_REFERENCE = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;
/** A URL of a resource on any server; versions are not stored. */
const RESOURCE_URL = /^(.+\/([A-Za-z]+)\/[A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/s;
/** An id without a type. */
export const BARE_ID: RegExp = /^[A-Za-z0-9\-.]{1,64}$/;

function splitPrefix(raw: string, context: ValueContext): { prefix: Prefix; rest: string } {
  const letters = /^[A-Za-z]+/.exec(raw)?.[0];
  if (letters === undefined) return { prefix: "eq", rest: raw };
  const prefix = PREFIXES.find((known) => known === letters);
  if (prefix === undefined) throw malformed(context, `the prefix must be one of ${PREFIXES.join(", ")}`);
  return { prefix, rest: raw.slice(2) };
}

function nonEmpty(text: string, context: ValueContext): string {
  if (text === "") throw malformed(context, "empty value");
  return text;
}

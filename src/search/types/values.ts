import type { SearchParameter, SearchParameterType } from "../../fhir/search-parameters.ts";
import type {
  CompositeValue,
  CriterionValue,
  DateValue,
  Prefix,
  QuantityValue,
  SimpleValue,
  StringValue,
  TokenValue,
  UriValue,
} from "../criteria/criteria.ts";
import { PREFIXES } from "../criteria/criteria.ts";
import { parseNear } from "./near.ts";
import { parseDecimal } from "../criteria/decimal.ts";
import { MEDIA_TYPES } from "../../fhir/token-case.ts";
import { splitEscaped, unescape } from "../criteria/escape.ts";
import { parseReference } from "./reference-value.ts";
import { malformed, type ValueContext } from "../criteria/value-context.ts";
import { NO_DATE, queryDateRange } from "../criteria/query-date.ts";

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
    throw malformed(context, "needs system|code, because hierarchies belong to code systems");
  }
  return token;
}

/** The canonical URL of a resource, perhaps with `|version` (R4 search, 3.1.1.4.9). */
export function parseCanonicalUrl(raw: string, context: ValueContext): UriValue {
  const [url = "", ...rest] = splitEscaped(nonEmpty(raw, context), "|");
  const version = unescape(rest.join("|"));
  if (url === "") throw malformed(context, "a URL is needed before the |");
  return { type: "uri", text: unescape(url), ...(version !== "" && { version }) };
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
      return parseReference(raw, targets, context);
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
  if (plain && rest !== text) throw malformed(context, "a number has no unit; leave out the part after the |");
  if (more.length > 0) throw malformed(context, QUANTITY_FORMS);
  // A system alone is legal, but `5.4|mg` is a common mistake, and finds nothing.
  if (code === "" && system !== "" && !system.includes(":")) {
    throw malformed(context, `${QUANTITY_FORMS}; the part after a single | is a system, which must be a URI`);
  }
  const value: QuantityValue = { type: "quantity", prefix, number };
  if (system !== "") value.system = unescape(system);
  if (code !== "") value.code = unescape(code);
  return value;
}

const QUANTITY_FORMS = "a quantity is written as number, number|system|code or number||code";

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

// What fhirpath.js, with its R4 model, selects by a search parameter's expression.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const fhirpath = require("fhirpath");
const model = require("fhirpath/fhir-context/r4");

const RESOLVES = /^(.*)\.where\(resolve\(\) is (\w+)\)$/;
/** HL7 4.0.1 misspells one type in `Observation-code-value-date`. */
const MISSPELLED = /\bDateTime\b/g;
/** `as` is for single items; R4 applies it to collections too, where `ofType()` is meant. */
const AS_OPERATOR = /\(([\w.]+) as (\w+)\)/g;
const AS_FUNCTION = /\.as\((\w+)\)/g;

function rewrite(expression) {
  return expression
    .replace(MISSPELLED, "dateTime")
    .replace(AS_OPERATOR, "($1.ofType($2))")
    .replace(AS_FUNCTION, ".ofType($1)");
}

/**
 * Compiles an expression for one resource type. The result maps a node (and its resource) to
 * `{ type, value, path }` rows. `resolve()` needs a server, so `where(resolve() is X)` is answered from the reference's
 * own text and what is contained: `refersTo` tells whether a Reference is of a type.
 */
export function compile(expression, resourceType, refersTo, base) {
  const alternatives = split(rewrite(expression))
    .filter((text) => base !== undefined || belongsTo(text, resourceType))
    .map((text) => {
      const [, inner, wanted] = RESOLVES.exec(text) ?? [undefined, text, undefined];
      const nodes = compileOne(inner, base);
      return { path: inner, wanted, nodes, types: compileOne(`(${inner}).select(type().name)`, base) };
    });
  return (node, resource) =>
    alternatives.flatMap(({ path, wanted, nodes, types }) => {
      const found = nodes(node, { resource });
      if (found.length === 0) return [];
      const names = types(node, { resource });
      if (names.length !== found.length) throw new Error(`${path}: ${found.length} nodes, ${names.length} types`);
      return found
        .map((value, index) => ({ value, type: names[index], path }))
        .filter(({ value }) => wanted === undefined || refersTo(value, resource) === wanted);
    });
}

function compileOne(expression, base) {
  return fhirpath.compile(base === undefined ? expression : { base, expression }, model);
}

/** The alternatives of a union, outside parentheses and quotes. */
function split(expression) {
  const parts = [""];
  let depth = 0;
  for (const char of expression) {
    if (char === "(") depth++;
    if (char === ")") depth--;
    if (char === "|" && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function belongsTo(text, type) {
  const first = /^\(?([A-Za-z]+)/.exec(text)?.[1] ?? "";
  return first === type || first === "Resource" || first === "DomainResource" || /^[a-z]/.test(first);
}

import fhirpath from "fhirpath";
import model from "fhirpath/fhir-context/r4";
import { targetTypeOf } from "./references.ts";

/** A resource as JSON.parse gives it. */
export type Json = Readonly<Record<string, unknown>>;

/** An element that an expression selects. */
export interface Node {
  readonly type: string;
  readonly value: unknown;
  /** `Patient.contact[0].gender` */
  readonly path: string;
}

/** Selects elements of a resource, or of an element of it. */
export type Select = (context: unknown, resource: Json) => Node[];

interface EngineNode {
  readonly data: unknown;
  getTypeInfo(): { name: string };
  fullPropertyName(): string | null;
}

/**
 * What fhirpath.js with its R4 model finds by a search parameter's expression. `base` is the path of the context for
 * expressions that do not begin with a type. `resolve()` would need the store: what a reference itself and the contained
 * resources tell of its target's type stands for it, as in contract 10.7.
 */
export function compileExpression(expression: string, type: string, base?: string): Select {
  const alternatives = unionOf(rewrite(expression))
    .filter((text) => base !== undefined || beginsWith(text, type))
    .map((text) => compileOne(text, base));
  return (context, resource) => alternatives.flatMap((select) => select(context, resource));
}

function compileOne(text: string, base: string | undefined): Select {
  const found: (EngineNode | boolean)[] = [];
  let container: Json = {};
  const collect = `(${text}).collected()`;
  const evaluate = fhirpath.compile(base === undefined ? collect : { base, expression: collect }, model, {
    userInvocationTable: {
      collected: {
        fn: (nodes: unknown[]) => {
          found.push(...(nodes as (EngineNode | boolean)[]));
          return [];
        },
        arity: { 0: [] },
        internalStructures: true,
      },
      refersTo: {
        fn: (nodes: unknown[], wanted: unknown) => [
          nodes.some((node) => targetTypeOf(node as Json, container) === wanted),
        ],
        arity: { 1: ["String"] },
      },
    },
  });
  return (context, resource) => {
    found.length = 0;
    container = resource;
    evaluate(context, { resource });
    return found.map((node) =>
      // `Patient.deceased.exists() and Patient.deceased != false`
      typeof node === "boolean"
        ? { type: "boolean", value: node, path: "" }
        : { type: node.getTypeInfo().name, value: node.data, path: node.fullPropertyName() ?? "" },
    );
  };
}

/** `as` is for single items; R4 applies it to lists, too, where `ofType()` is meant. `DateTime` is misspelled by HL7. */
function rewrite(expression: string): string {
  return expression
    .replaceAll(/\bDateTime\b/g, "dateTime")
    .replaceAll(/\(([\w.]+) as (\w+)\)/g, "($1.ofType($2))")
    .replaceAll(/\.as\((\w+)\)/g, ".ofType($1)")
    .replaceAll(/resolve\(\) is (\w+)/g, "refersTo('$1')");
}

/** The alternatives of a union. */
export function unionOf(expression: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (const [index, character] of [...expression, "|"].entries()) {
    if (character === "(") depth++;
    if (character === ")") depth--;
    if (character === "|" && (depth === 0 || index === expression.length)) {
      parts.push(expression.slice(start, index).trim());
      start = index + 1;
    }
  }
  return parts.filter((part) => part !== "");
}

/** Whether an alternative is about resources of the type. */
export function beginsWith(text: string, type: string): boolean {
  const [, first = ""] = /^\(*(\w+)/.exec(text) ?? [];
  // `name | alias`, of an InsurancePlan
  return first === type || first === "Resource" || /^[a-z]/.test(first);
}

import type { CodesBySystem } from "../../fhir/extraction-tree.ts";
import type { Elements } from "./elements.ts";
import { ExpressionError, parseExpression, type Expression } from "./parse.ts";
import { newWork, spend, type ExpressionWork } from "./work.ts";

/**
 * A step of the way to an element: a JSON member (`name`), the same element if its member has this value (`where`), the
 * first of an array (`first`), or from a composite's context back to its resource (`root`).
 */
export interface Step {
  name?: string;
  many?: boolean;
  where?: readonly [member: string, value: string];
  first?: true;
  root?: true;
}

/** The way from the resource (or the context element) to elements of one FHIR type. */
export interface Selection {
  steps: readonly Step[];
  /** FHIR type of the elements. */
  type: string;
  /** Where the children of the elements are defined. */
  owner: string;
  /** Resource types that a reference may point to; empty: any. */
  targets: readonly string[];
  /** Only references to this type. */
  refersTo?: string;
  /** Code system of a `code`, by its binding. */
  system?: string;
  /** The same where these are several. */
  systems?: CodesBySystem;
  /** The element stands for "one of these members exists and is not false". */
  truth?: readonly string[];
  /** One type of an element that can have several, which the expression does not name. */
  open?: true;
}

/**
 * The selections of an expression for one resource type; parts that begin with another type select nothing. Throws
 * {@link ExpressionError}, also when `work` is used up.
 */
export function selectFrom(
  elements: Elements,
  type: string,
  expression: string,
  work: ExpressionWork = newWork(),
): Selection[] {
  const start = { steps: [], type, owner: type, targets: [] };
  return new Selector(elements, start, type, work).all(parseExpression(expression));
}

/**
 * The selections of a composite component's expression, from its context.
 */
export function selectIn(
  elements: Elements,
  context: Selection,
  type: string,
  expression: string,
  work: ExpressionWork = newWork(),
): Selection[] {
  return new Selector(elements, { ...context, steps: [] }, type, work).all(parseExpression(expression));
}

type Call = Expression & { kind: "call" };

class Selector {
  readonly #elements: Elements;
  readonly #context: Selection;
  readonly #type: string;
  readonly #work: ExpressionWork;

  constructor(elements: Elements, context: Selection, type: string, work: ExpressionWork) {
    this.#elements = elements;
    this.#context = context;
    this.#type = type;
    this.#work = work;
  }

  all(node: Expression): Selection[] {
    switch (node.kind) {
      case "union":
        return node.parts.flatMap((part) => this.all(part));
      case "and":
        return [this.#existsAndIsNotFalse(node.left, node.right)];
      case "as":
        return this.#narrow(this.all(node.of), node.type);
      case "index":
        if (node.index !== 0) throw new ExpressionError("only [0] is supported");
        return this.all(node.of).map((from) => ({ ...from, steps: [...from.steps, firstOf(from)] }));
      case "call":
        return this.#call(node);
      case "member":
        return this.#member(node.of, node.name);
      default:
        throw new ExpressionError(`${textOf(node)} is not understood here`);
    }
  }

  #member(of: Expression | undefined, name: string): Selection[] {
    if (of !== undefined) return this.all(of).flatMap((from) => this.#step(from, name));
    const type = this.#type;
    if (name === "%resource") return [{ steps: [{ root: true }], type, owner: type, targets: [] }];
    if (name === type || name === "Resource" || name === "DomainResource") {
      if (this.#context.owner === type) return [this.#context];
      throw new ExpressionError(`${name} is not supported here: the expression of a component begins at the element`);
    }
    if (/^[A-Z]/.test(name)) return [];
    return this.#step(this.#context, name);
  }

  #step(from: Selection, name: string): Selection[] {
    const element = this.#elements.element(from.owner, name);
    if (element === undefined) {
      // One type of several that are possible may have it.
      if (from.open === true) return [];
      throw new ExpressionError(`${from.owner} has no element ${name}`);
    }
    spend(this.#work, element.types.length, from.steps.length + 1);
    return element.types.map(({ type, owner, targets, system, systems }) => ({
      steps: [...from.steps, { name: element.choice ? name + capital(type) : name, many: element.many }],
      type,
      owner,
      targets,
      ...(system === undefined ? {} : { system }),
      ...(systems === undefined ? {} : { systems }),
      ...(element.choice && element.types.length > 1 ? { open: true as const } : {}),
    }));
  }

  #call(node: Call): Selection[] {
    const [argument] = node.given;
    if (argument === undefined || node.given.length > 1) throw notUnderstood(node);
    // Without anything before it, a function is asked of what the expression begins at.
    const of = (): Selection[] => (node.of === undefined ? [this.#context] : this.all(node.of));
    if (node.name === "as" || node.name === "ofType") {
      if (argument.kind !== "member" || argument.of !== undefined) throw notUnderstood(node);
      return this.#narrow(of(), argument.name);
    }
    if (node.name === "extension") {
      if (argument.kind !== "text") throw notUnderstood(node);
      return of()
        .flatMap((from) => this.#step(from, "extension"))
        .map((from) => withStep(from, { where: ["url", argument.text] }));
    }
    if (node.name !== "where") throw notUnderstood(node);
    return this.#where(of(), argument);
  }

  #where(found: readonly Selection[], argument: Expression): Selection[] {
    if (argument.kind === "is" && argument.of.kind === "call") {
      const { name, of } = argument.of;
      if (name === "resolve" && of === undefined) return found.map((from) => ({ ...from, refersTo: argument.type }));
    }
    if (argument.kind !== "equals" || argument.left.kind !== "member" || argument.left.of !== undefined) {
      throw new ExpressionError(`the condition ${textOf(argument)} of where() is not understood`);
    }
    if (argument.right.kind !== "text") {
      throw new ExpressionError(`the condition ${textOf(argument)} of where() is not a comparison with a text`);
    }
    const { name } = argument.left;
    const { text } = argument.right;
    return found.map((from) => {
      this.#checkCompared(from, name);
      return withStep(from, { where: [name, text] });
    });
  }

  /** A member that cannot equal a text would select nothing, in silence. */
  #checkCompared(from: Selection, name: string): void {
    const element = this.#elements.element(from.owner, name);
    const type = element?.types[0]?.type;
    if (element !== undefined && !element.many && !element.choice && type !== undefined && TEXTS.has(type)) return;
    throw new ExpressionError(`${from.owner} has no text element ${name} to compare in where()`);
  }

  /** `X.exists() and X != false`: true or false in every resource, whether it has X or not. */
  #existsAndIsNotFalse(exists: Expression, differs: Expression): Selection {
    const isTruth =
      exists.kind === "call" &&
      exists.name === "exists" &&
      exists.of !== undefined &&
      differs.kind === "differs" &&
      differs.right.kind === "boolean" &&
      !differs.right.value &&
      JSON.stringify(exists.of) === JSON.stringify(differs.left);
    if (!isTruth || exists.of === undefined) throw new ExpressionError("this use of `and` is not supported");
    const members = this.all(exists.of).map(({ steps }) => {
      const [step] = steps;
      if (steps.length !== 1 || step?.name === undefined) {
        throw new ExpressionError("exists() is supported for elements of the resource itself only");
      }
      return step.name;
    });
    return { steps: [], type: "boolean", owner: "boolean", targets: [], truth: members };
  }

  #narrow(selections: readonly Selection[], type: string): Selection[] {
    // HL7 4.0.1 writes `value.as(DateTime)` once; the type is dateTime.
    const wanted = type === "DateTime" ? "dateTime" : type;
    return selections
      .filter((selection) => this.#elements.isA(selection.type, wanted))
      .map(({ open, ...selection }) =>
        // A code is a string, too: what a parameter cannot search of those is no mistake of the expression.
        open === true && selection.type !== wanted ? { ...selection, open } : selection,
      );
  }
}

/** Types of elements whose JSON is a text. */
const TEXTS: ReadonlySet<string> = new Set(["string", "uri", "url", "canonical", "code", "id", "oid", "uuid"]);

/** `[0]` of an array. Of arrays in arrays, FHIRPath means the first of all; what is taken here is the first of each. */
function firstOf({ steps }: Selection): Step {
  const arrays = steps.filter(({ many }) => many === true).length;
  if (arrays === 1 && steps.at(-1)?.many === true) return { first: true };
  throw new ExpressionError("[0] is supported after a single array only");
}

function withStep(from: Selection, step: Step): Selection {
  return { ...from, steps: [...from.steps, step] };
}

function notUnderstood(node: Call): ExpressionError {
  const known = KNOWN_CALLS.has(node.name);
  return new ExpressionError(
    known ? `${textOf(node)} is not understood` : `the function ${node.name}() is not understood`,
  );
}

const KNOWN_CALLS: ReadonlySet<string> = new Set(["as", "ofType", "where", "extension"]);

/** The node as it would be written, for messages. */
function textOf(node: Expression): string {
  switch (node.kind) {
    case "union":
      return node.parts.map(textOf).join(" | ");
    case "and":
      return `${textOf(node.left)} and ${textOf(node.right)}`;
    case "equals":
      return `${textOf(node.left)} = ${textOf(node.right)}`;
    case "differs":
      return `${textOf(node.left)} != ${textOf(node.right)}`;
    case "as":
    case "is":
      return `${textOf(node.of)} ${node.kind} ${node.type}`;
    case "index":
      return `${textOf(node.of)}[${node.index}]`;
    case "member":
      return node.of === undefined ? node.name : `${textOf(node.of)}.${node.name}`;
    case "call": {
      const call = `${node.name}(${node.given.map(textOf).join(", ")})`;
      return node.of === undefined ? call : `${textOf(node.of)}.${call}`;
    }
    case "text":
      return `'${node.text}'`;
    default:
      return String(node.value);
  }
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

// From an expression to the elements it selects in one resource type.
import { isInline } from "./elements.mjs";
import { parse } from "./fhirpath.mjs";

/**
 * A selection: the way from the resource (or the context element) to elements of one FHIR type.
 * @typedef {{ name: string, many: boolean } | { where: [string, string] } | { first: true } | { root: true }} Step
 * @typedef {object} Selection
 * @property {Step[]} steps `root` goes back from a context element to its resource
 * @property {string} type FHIR type of the elements
 * @property {string} owner where the children of the elements are defined
 * @property {string[]} targets resource types that a Reference may point to
 * @property {string} [refersTo] only references to this type
 * @property {string} [binding] the value set of a required binding
 * @property {true} [truth] the element stands for "it exists and is not false"
 */

/** The selections of an expression for one resource type; parts that begin with another type select nothing. */
export function selectFrom(elements, type, expression) {
  const start = { steps: [], type, owner: type, targets: [] };
  return withContext(elements, start, type, parse(expression));
}

/** The selections of a composite component's expression, from its context. */
export function selectIn(elements, context, type, expression) {
  return withContext(elements, { ...context, steps: [] }, type, parse(expression));
}

function withContext(elements, context, type, tree) {
  const select = (node) => {
    if (node.union !== undefined) return node.union.flatMap(select);
    if (node.and !== undefined) return [existsAndIsNotFalse(node.and)];
    if (node.as !== undefined) return narrow(elements, select(node.as), node.type);
    if (node.index !== undefined) {
      if (node.index !== 0) throw new Error("only [0] is understood");
      return expand(select(node.of)).map((from) => ({ ...from, steps: [...from.steps, { first: true }] }));
    }
    if (node.call !== undefined) return call(node);
    if (node.member !== undefined) return member(node);
    throw new Error(`not understood: ${JSON.stringify(node)}`);
  };

  const member = ({ of, member: name }) => {
    if (of !== undefined) return expand(select(of)).flatMap((from) => step(from, name));
    if (name === "%resource") return [{ steps: [{ root: true }], type, owner: type, targets: [] }];
    if (name === type || name === "Resource" || name === "DomainResource") return [context];
    if (/^[A-Z]/.test(name)) return [];
    return step(context, name);
  };

  const step = (from, name) => {
    const element = elements.element(from.owner, name);
    if (element === undefined) throw new Error(`${from.owner} has no element ${name}`);
    const all = element.types.map(({ type: found, targets }) => ({
      steps: [...from.steps, { name: element.choice ? name + capital(found) : name, many: element.many }],
      type: found,
      owner: isInline(found) ? element.owner : found,
      targets,
      ...(element.binding === undefined ? {} : { binding: element.binding }),
    }));
    return element.choice ? [{ choices: all }] : all;
  };

  const call = (node) => {
    const [argument] = node.arguments;
    if (node.call === "as" || node.call === "ofType") return narrow(elements, select(node.of), argument.member);
    if (node.call !== "where") throw new Error(`function ${node.call}() is not understood`);
    const found = expand(select(node.of));
    if (argument.is?.call === "resolve" && argument.is.of === undefined) {
      return found.map((from) => ({ ...from, refersTo: argument.type }));
    }
    const [left, right] = argument.equals ?? [];
    if (left?.member === undefined || left.of !== undefined || right?.literal === undefined) {
      throw new Error(`condition of where() is not understood: ${JSON.stringify(argument)}`);
    }
    return found.map((from) => ({ ...from, steps: [...from.steps, { where: [left.member, right.literal] }] }));
  };

  /** `X.exists() and X != false`: true or false in every resource, whether it has X or not. */
  const existsAndIsNotFalse = ([exists, differs]) => {
    const same = JSON.stringify(exists.of) === JSON.stringify(differs.differs?.[0]);
    if (exists.call !== "exists" || differs.differs?.[1].boolean !== false || !same) {
      throw new Error("this use of `and` is not understood");
    }
    const choices = expand(select(exists.of));
    return {
      steps: [],
      type: "boolean",
      owner: "boolean",
      targets: [],
      truth: choices.map((from) => from.steps[0].name),
    };
  };

  return expand(select(tree));
}

/** A choice that nothing narrows is all of its types. */
function expand(selections) {
  return selections.flatMap((selection) => selection.choices ?? [selection]);
}

function narrow(elements, selections, type) {
  // HL7 4.0.1 writes `value.as(DateTime)` once; the type is dateTime.
  const wanted = type === "DateTime" ? "dateTime" : type;
  return expand(selections).filter((selection) => elements.isA(selection.type, wanted));
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}

import type { SearchParameterType } from "../fhir/search-parameters.ts";
import {
  coordinateComposite,
  equalityComposite,
  qualifiedComposite,
  type CompositeExtractor,
  type PartExtractor,
} from "./composite-values.ts";
import { emitterOf } from "./emitters.ts";
import type { CompositeOfElement, TreeNode } from "../fhir/extraction-tree.ts";
import { nodesOfToken, qualifiedEmitter, type QualifiedEmitter } from "./qualified-quantities.ts";
import { createCacheBudget, ValueCache, type CacheBudget } from "./value-cache.ts";
import type { ValueCollector } from "./value-collector.ts";
import { valueGroup } from "./value-group.ts";

/** What compiled extractors share. */
export interface CompileOptions {
  budget: CacheBudget;
}

/** What is taken: all there is, the numbers of a composite's component, or the codes of tokens alone. */
type Taken = "all" | "component" | "codes";

/** Takes all search values from a resource. */
export type Extractor = (to: ValueCollector, resource: unknown) => void;

/**
 * Makes one JavaScript function of a resource type's extraction tree: every member that matters is read once, by its name,
 * and its value goes straight to the emitter of its FHIR type. The trees are generated, or made of a stored SearchParameter's expression.
 * `qualified` is the type's {@link qualifiedQuantities}.
 */
export function compileExtractor(
  nodes: readonly TreeNode[],
  options: CompileOptions,
  qualified: ReadonlyMap<number, number> = new Map(),
): Extractor {
  const qualifiers = [...qualified].map(
    ([quantity, token]) => [quantity, compilePart(nodesOfToken(nodes, token), options, "codes")] as const,
  );
  const extract = compilePart(nodes, options, "all", new Map(qualifiers));
  return (to, resource) => extract(to, resource, resource);
}

/** Throws a TypeError where a tree cannot be compiled; costs a tenth of doing so. */
export function checkExtractor(nodes: readonly TreeNode[]): void {
  new Source({ budget: createCacheBudget() }, "all", new Map()).children(nodes, "context");
}

function compilePart(
  nodes: readonly TreeNode[],
  options: CompileOptions,
  taken: Taken,
  qualifiers: ReadonlyMap<number, PartExtractor> = new Map(),
): PartExtractor {
  const source = new Source(options, taken, qualifiers);
  source.children(nodes, "context");
  return source.build();
}

function compileComposite(composite: CompositeOfElement, options: CompileOptions): CompositeExtractor {
  const [first, second, third] = composite.parts.map((part) => compilePart(part.nodes, options, "component"));
  if (first === undefined || second === undefined) throw new TypeError(`composite ${composite.id} lacks a component`);
  if (third !== undefined) return coordinateComposite(composite.id, first, second, third);
  const hasRows = ROWS.has(composite.parts[1]?.type ?? "composite");
  return hasRows ? qualifiedComposite(composite.id, first, second) : equalityComposite(composite.id, first, second);
}

const ROWS: ReadonlySet<SearchParameterType> = new Set<SearchParameterType>(["date", "number", "quantity", "string"]);

/** The text of a function that is being written, and the values it refers to as `k0`, `k1` … */
class Source {
  private readonly lines: string[] = [];
  private readonly constants: unknown[] = [];
  private variables = 0;
  private readonly options: CompileOptions;
  private readonly taken: Taken;
  /** By the id of the quantity parameter that they qualify. */
  private readonly qualifiers: ReadonlyMap<number, PartExtractor>;

  constructor(options: CompileOptions, taken: Taken, qualifiers: ReadonlyMap<number, PartExtractor>) {
    this.options = options;
    this.taken = taken;
    this.qualifiers = qualifiers;
  }

  /** Code that visits `nodes` of the object in variable `owner`. */
  children(nodes: readonly TreeNode[], owner: string): void {
    for (const node of nodes) this.node(node, owner);
  }

  build(): PartExtractor {
    const names = this.constants.map((_, index) => `k${index}`);
    const body = `"use strict"; return function extract(to, context, resource) {\n${this.lines.join("\n")}\n};`;
    // Names are those of FHIR's elements (`member` sees to it); texts that expressions compare with are JSON strings.
    // oxlint-disable-next-line typescript/no-implied-eval
    const make = new Function(...names, body) as (...constants: unknown[]) => PartExtractor;
    return make(...this.constants);
  }

  private node(node: TreeNode, owner: string): void {
    if (node.root === true) {
      this.children(node.nodes ?? [], "resource");
    } else if (node.truth !== undefined) {
      const tests = node.truth.map((name) => `(${owner}${member(name)} ?? false) !== false`);
      this.content(node, this.variable(tests.join(" || ")));
    } else if (node.where !== undefined) {
      const [name, value] = node.where;
      this.block(`if (${owner}${member(name)} === ${JSON.stringify(value)})`, () => this.content(node, owner));
    } else if (node.first === true) {
      throw new TypeError("an index must follow an array");
    } else {
      this.named(node, owner);
    }
  }

  /** A member: each element of an array, or the one value. */
  private named(node: TreeNode, owner: string): void {
    const value = this.variable(`${owner}${member(node.name ?? "")}`);
    this.block(`if (${value} !== undefined)`, () => {
      const first = (node.nodes ?? []).filter((child) => child.first === true);
      const rest = { ...node, nodes: (node.nodes ?? []).filter((child) => child.first !== true) };
      if (node.many !== true) {
        this.content(rest, value);
        return;
      }
      for (const child of first) {
        const element = this.variable(`Array.isArray(${value}) ? ${value}[0] : ${value}`);
        this.content(child, element);
      }
      if (rest.nodes.length === 0 && rest.values === undefined && rest.composites === undefined) return;
      const list = this.variable(`Array.isArray(${value}) ? ${value} : [${value}]`);
      const index = `i${this.variables++}`;
      this.block(`for (let ${index} = 0; ${index} < ${list}.length; ${index}++)`, () => {
        this.content(rest, this.variable(`${list}[${index}]`));
      });
    });
  }

  /** What is done with the element in variable `value`. */
  private content(node: TreeNode, value: string): void {
    for (const values of node.values ?? []) this.values(node, values, value);
    if (node.composites === undefined && (node.nodes ?? []).length === 0) return;
    this.block(`if (typeof ${value} === "object" && ${value} !== null)`, () => {
      for (const composite of node.composites ?? []) {
        this.lines.push(`${this.constant(compileComposite(composite, this.options))}(to, ${value}, resource);`);
      }
      this.children(node.nodes ?? [], value);
    });
  }

  /** The values of one kind: those that are qualified, each by itself, and all others together. */
  private values(node: TreeNode, values: NonNullable<TreeNode["values"]>[number], value: string): void {
    const emit = emitterOf(values.as, node.type ?? "");
    const plain = values.parameters.filter(({ id }) => !this.qualifiers.has(id));
    if (plain.length > 0) this.emission(emit, node, { ...values, parameters: plain }, value);
    for (const parameter of values.parameters) {
      const codes = this.qualifiers.get(parameter.id);
      if (codes === undefined) continue;
      this.emission(qualifiedEmitter(codes, emit), node, { ...values, parameters: [parameter] }, `${value}, resource`);
    }
  }

  private emission(
    emit: QualifiedEmitter,
    node: TreeNode,
    values: NonNullable<TreeNode["values"]>[number],
    of: string,
  ): void {
    const { budget } = this.options;
    const caches = { cache: new ValueCache(budget), texts: new ValueCache(budget) };
    const { taken } = this;
    const group = valueGroup(node, values, { component: taken !== "all", onlyCodes: taken === "codes", ...caches });
    this.lines.push(`${this.constant(emit)}(to, ${this.constant(group)}, ${of});`);
  }

  private block(head: string, write: () => void): void {
    this.lines.push(`${head} {`);
    write();
    this.lines.push("}");
  }

  private variable(expression: string): string {
    const name = `v${this.variables++}`;
    this.lines.push(`const ${name} = ${expression};`);
    return name;
  }

  private constant(value: unknown): string {
    const known = this.constants.indexOf(value);
    return `k${known >= 0 ? known : this.constants.push(value) - 1}`;
  }
}

function member(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9]*$/.test(name)) throw new TypeError(`not the name of a FHIR element: ${name}`);
  return `.${name}`;
}

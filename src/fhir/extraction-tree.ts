import { readGenerated } from "./generated.ts";
import type { SearchParameterType } from "./search-parameters.ts";

/** A parameter that takes values from an element. */
export interface ParameterOfElement {
  /** `SearchParameter.id`. */
  id: number;
  /** References only: counts only what refers to this type. */
  refersTo?: string;
  /** References only: the one type that a bare id can mean here. */
  onlyTarget?: string;
  /** Elements that are resources themselves: counts only these types. */
  targets?: readonly string[];
  /** References only: the types for which `referenceType` is stored. */
  types?: readonly string[];
}

/** The codes of code systems, by the systems' URIs. */
export type CodesBySystem = Readonly<Record<string, readonly string[]>>;

/** A component of a composite: where its values are, from the context element. */
interface CompositePart {
  type: SearchParameterType;
  nodes: readonly TreeNode[];
}

/** A composite whose context is an element. */
export interface CompositeOfElement {
  id: number;
  parts: readonly CompositePart[];
}

/**
 * A node of a type's extraction tree (made by `tools/search-parameters`). It is reached from its parent by exactly one of
 * `name` (a JSON member), `where` (the same element, if its member has this value), `first` (the first of an array),
 * `root` (the resource, from a composite's context) or `truth` (true when one of these members exists and is not false).
 */
export interface TreeNode {
  name?: string;
  /** With `name`: the member is an array. */
  many?: boolean;
  where?: readonly [member: string, value: string];
  first?: true;
  root?: true;
  truth?: readonly string[];
  /** FHIR type of the element, where values are taken from it. */
  type?: string;
  /** Code system that the required binding of a `code` implies. */
  system?: string;
  /** The same where these are several: the codes of each. */
  systems?: CodesBySystem;
  values?: readonly { as: SearchParameterType; parameters: readonly ParameterOfElement[] }[];
  composites?: readonly CompositeOfElement[];
  nodes?: readonly TreeNode[];
}

/** The extraction trees of all resource types. */
export type ExtractionTrees = Readonly<Record<string, readonly TreeNode[]>>;

/** Reads the generated trees: some milliseconds, once for each indexer. */
export function readExtractionTrees(): ExtractionTrees {
  return readGenerated<ExtractionTrees>("extraction.json");
}

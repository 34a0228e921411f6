import type { JsonValue } from "../base/json.ts";
import { MAX_LEVELS } from "../fhir/json-limits.ts";
import { lineIssue, quoted, type LineIssue } from "./issue.ts";

/** Levels of objects a resource may have; far above anything real, far below the stack. */
export const MAX_DEPTH: number = MAX_LEVELS;
/** With fewer levels of objects, a resource without issues is certain to keep {@link MAX_LEVELS}: an array of objects adds one each. */
export const DEEP: number = MAX_LEVELS / 2;

/**
 * The state of one check of one resource: where it is, and what it has found. The path is kept as two arrays that are
 * overwritten, so that a resource without issues costs no string.
 */
export interface Walk {
  /** Name of the resource's type, the first step of every path. */
  readonly root: string;
  /** Member name per level, and the index in its array or -1. */
  readonly names: string[];
  readonly indexes: number[];
  readonly issues: LineIssue[];
  /** The check ends when so many issues are found. */
  readonly limit: number;
  /** Whether a `Reference.reference` with a `?` has been met (contract 5.3). */
  conditionalReference: boolean;
  /** Whether a reference has been met that may be one of `leftReferences`. */
  mayLeadNowhere: boolean;
  /** References that lead nowhere, by form and target type; undefined while there are none. */
  leftReferences: Map<string, number> | undefined;
  /** Whether something has been met that counts as absent (C-015). */
  hasEmpty: boolean;
  /** Whether there are more than {@link DEEP} levels of objects. */
  isDeep: boolean;
  /** The text that the resource was parsed from, where it is known, and how far its integers have been looked at. */
  readonly text: string | undefined;
  textAt: number;
  /** Whether an integer was met whose place in the text is not certain. */
  isUnsure: boolean;
}

/** Starts a check of the resource of type `root`. `text`: what it was parsed from. */
export function startWalk(root: string, issues: LineIssue[], limit: number, text: string | undefined): Walk {
  return {
    root,
    names: [],
    indexes: [],
    issues,
    limit,
    conditionalReference: false,
    mayLeadNowhere: false,
    leftReferences: undefined,
    hasEmpty: false,
    isDeep: false,
    text,
    textAt: 0,
    isUnsure: false,
  };
}

/** The path down to and including the member of level `depth`; a depth of -1 is the resource itself. */
export function pathOf(walk: Walk, depth: number): string {
  let path = walk.root;
  for (let level = 0; level <= depth; level++) {
    const name = walk.names[level] ?? "";
    const index = walk.indexes[level] ?? -1;
    path += `.${name.length > 64 ? `${name.slice(0, 64)}…` : name}${index < 0 ? "" : `[${index}]`}`;
  }
  return path;
}

/** Reports an issue of the member at level `depth`: `{path}: {text}`. Returns whether the check goes on. */
export function report(walk: Walk, depth: number, code: string, text: string): boolean {
  const path = pathOf(walk, depth);
  return add(walk, lineIssue(code, `${path}: ${text}`, path));
}

/** Reports a member that its object's type does not have. `hint` ends the sentence. */
export function reportUnknown(walk: Walk, depth: number, name: string, hint: string): boolean {
  const path = pathOf(walk, depth);
  return add(walk, lineIssue("structure", `Unknown element ${quoted(name)} at ${path}${hint}.`, path));
}

/** Reports a value of another JSON type than the element has. `expected` is a noun phrase: "a string". */
export function reportType(walk: Walk, depth: number, expected: string, value: JsonValue): boolean {
  return report(walk, depth, "structure", `expected ${expected}, found ${jsonTypeOf(value)}.`);
}

/** "an array", "an object", "a string" … */
export function jsonTypeOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function add(walk: Walk, issue: LineIssue): boolean {
  walk.issues.push(issue);
  return walk.issues.length < walk.limit;
}

/** Checks one value (never null) at level `depth`; returns whether the check goes on. */
export type ValueCheck = (value: JsonValue, walk: Walk, depth: number) => boolean;

import { StokerError } from "../../base/errors.ts";
import type { SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { parseElements, type Shape } from "../projection/shape.ts";
import { parseInclude, type Include } from "./include.ts";

/** How the answer is to look, as opposed to what is searched. */
export interface Control {
  /** Entries of a page; 0 asks for the total only. */
  count: number;
  /** Unless asked for, or asked not to be there, a total is told where it is known anyway. */
  total: "known" | "none" | "accurate" | "estimate";
  /** The `_sort` as written; undefined: the order of keys, the one to page through everything. */
  sort: string | undefined;
  /** The `_include` and `_revinclude`, as in the query. */
  includes: readonly Include[];
  /** Which members of the resources are wanted; undefined: all. */
  shape: Shape | undefined;
  /** The `_cursor` of a page link. */
  cursor: string | undefined;
}

/** {@link parseControl}'s result: what was understood, what was not, and what is left. */
export interface ParsedControl extends Control {
  used: [string, string][];
  /** Names of result parameters of FHIR that have no effect here. */
  ignored: string[];
  /** `_summary=count`: whatever `_count` says, and wherever it stands. */
  isCountOnly: boolean;
  /** The parameters that filter. */
  filters: (readonly [string, string])[];
}

/** Takes the result parameters out of a query, in which none is empty. Throws `bad-request` or `not-supported` on values that make no sense. */
export function parseControl(
  parameters: readonly (readonly [string, string])[],
  lookup: SearchParameterLookup,
): ParsedControl {
  const control: ParsedControl = {
    count: DEFAULT_COUNT,
    total: "known",
    sort: undefined,
    includes: [],
    shape: undefined,
    cursor: undefined,
    isCountOnly: false,
    used: [],
    ignored: [],
    filters: [],
  };
  if (parameters.length > MAX_PARAMETERS) {
    throw new StokerError("too-costly", `A search has at most ${MAX_PARAMETERS} parameters.`, { status: 400 });
  }
  for (const [name, value] of parameters) {
    const apply = CONTROLS.get(name);
    if (apply !== undefined) {
      apply(control, value, lookup);
      control.used.push([name, name === "_count" ? `${control.count}` : value]);
    } else if (/^_(?:rev)?include(?::|$)/.test(name)) {
      throw unknownInclude(name);
    } else if (IGNORED.has(name.split(":", 1)[0] ?? "")) {
      control.ignored.push(name);
    } else {
      control.filters.push([name, value]);
    }
  }
  if (control.isCountOnly) control.count = 0;
  if (control.shape === "text" && control.includes.length > 0) {
    throw new StokerError("bad-request", "_summary=text cannot be combined with _include or _revinclude.", {
      expression: "_summary",
    });
  }
  return control;
}

/** Whether a parameter says how the answer is to look: it has no part in what is found. */
export function isControl(name: string): boolean {
  return CONTROLS.has(name);
}

/** Reads `_count`: at least 0; more than {@link MAX_COUNT} is taken as that many. */
export function parseCount(value: string): number {
  if (!/^\d{1,9}$/.test(value)) {
    throw new StokerError("bad-request", "_count: not a number of entries.", { expression: "_count" });
  }
  return Math.min(Number(value), MAX_COUNT);
}

/** Entries of a page unless the query says otherwise, and at most. */
export const DEFAULT_COUNT = 10;
export const MAX_COUNT = 1000;

function setShape(control: ParsedControl, name: string, shape: Shape): void {
  if (control.shape !== undefined) {
    throw new StokerError("bad-request", `${name}: only one _summary or _elements is allowed.`, {
      expression: name,
    });
  }
  control.shape = shape;
}

/** `:recurse` is what STU3 called `:iterate`. */
function unknownInclude(name: string): StokerError {
  const [parameter = "", modifier = ""] = name.split(":", 2);
  const text =
    modifier === "recurse"
      ? `${parameter}:recurse is not R4: write ${parameter}:iterate.`
      : `${name.slice(0, 64)}: the only modifier of ${parameter} in R4 is :iterate.`;
  return new StokerError("not-supported", text, { expression: name.slice(0, 64) });
}

const MAX_INCLUDES = 50;

/** Each is a part of the statement that PostgreSQL has to plan, and of the answer's links. */
const MAX_PARAMETERS = 200;

type Apply = (control: ParsedControl, value: string, lookup: SearchParameterLookup) => void;

const CONTROLS: ReadonlyMap<string, Apply> = new Map(
  Object.entries<Apply>({
    _count: (control: ParsedControl, value: string) => {
      control.count = parseCount(value);
    },
    _total: (control: ParsedControl, value: string) => {
      if (value !== "none" && value !== "accurate" && value !== "estimate") {
        throw new StokerError("bad-request", "_total: must be none, estimate or accurate.", { expression: "_total" });
      }
      control.total = value;
    },
    _sort: (control: ParsedControl, value: string) => {
      // R4 3.1.1.9: several of them are one list.
      control.sort = control.sort === undefined ? value : `${control.sort},${value}`;
    },
    _summary: (control: ParsedControl, value: string) => {
      if (value === "count") control.isCountOnly = true;
      else if (value === "true" || value === "text" || value === "data") setShape(control, "_summary", value);
      else if (value !== "false") {
        throw new StokerError("bad-request", "_summary: must be true, text, data, count or false.", {
          expression: "_summary",
        });
      }
    },
    _elements: (control: ParsedControl, value: string) => {
      setShape(control, "_elements", parseElements(value));
    },
    _cursor: (control: ParsedControl, value: string) => {
      control.cursor = value;
    },
    ...Object.fromEntries(
      ["_include", "_include:iterate", "_revinclude", "_revinclude:iterate"].map((name) => [
        name,
        (control: ParsedControl, value: string, lookup: SearchParameterLookup) => {
          if (control.includes.length === MAX_INCLUDES) {
            throw new StokerError("bad-request", `${name}: more than ${MAX_INCLUDES} of them.`, { expression: name });
          }
          control.includes = [...control.includes, parseInclude(name, value, lookup)];
        },
      ]),
    ),
    _format: () => {},
    _pretty: () => {},
  }),
);

/** Result parameters that add to an answer or trim it: without them it is still a right answer. */
const IGNORED: ReadonlySet<string> = new Set(["_contained", "_containedType", "_score", "_maxresults"]);

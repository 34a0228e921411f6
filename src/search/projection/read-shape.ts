import { StokerError } from "../../base/errors.ts";
import { checkElements, parseElements, type Shape } from "./shape.ts";

/**
 * How the resource of a read is to be shortened, by `_summary` or `_elements` of its query; undefined: not at all. Throws
 * `bad-request` on values that make no sense.
 */
export function shapeOf(type: string, parameters: readonly (readonly [string, string])[]): Shape | undefined {
  const asked = parameters.filter(([name]) => name === "_summary" || name === "_elements");
  if (asked.length === 0) return undefined;
  const [[name, value] = ["", ""], ...more] = asked;
  if (more.length > 0) {
    throw new StokerError("bad-request", `${name}: only one _summary or _elements is allowed.`, {
      expression: name,
    });
  }
  if (name === "_elements") {
    const names = parseElements(value);
    checkElements(names, [type]);
    return names;
  }
  if (value === "false") return undefined;
  if (value === "true" || value === "text" || value === "data") return value;
  throw new StokerError("bad-request", "_summary: must be true, text, data or false.", { expression: "_summary" });
}

import { StokerError } from "../../base/errors.ts";

/** The error about an element of a SearchParameter resource, `base` or `component[0].definition`. */
export function refused(
  element: string,
  why: string,
  code: "bad-request" | "not-supported" = "bad-request",
): StokerError {
  const expression = `SearchParameter.${element}`;
  return new StokerError(code, `${expression}: ${why}`, { expression });
}

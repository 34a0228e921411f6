import { StokerError } from "../base/errors.ts";

/** The patch is no patch: 400. `expression` is the place in the `Parameters`, where it is one. */
export function malformedPatch(text: string, expression?: string): StokerError {
  return new StokerError("bad-request", text, {
    issue: "structure",
    ...(expression === undefined ? {} : { expression }),
  });
}

/** The patch cannot be applied to the resource as it is: 422, as RFC 5789 (2.2) has it. */
export function unprocessable(text: string, detail: { issue?: string; expression?: string } = {}): StokerError {
  return new StokerError("unprocessable", text, detail);
}

/** A path as it is shown in messages. */
export function shown(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}

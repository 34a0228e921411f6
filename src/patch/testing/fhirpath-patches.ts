import { StokerError } from "../../base/errors.ts";
import { readFhirPathPatch } from "../fhirpath-operations.ts";
import { applyFhirPathPatch } from "../fhirpath-patch.ts";

/** An operation of a FHIRPath Patch; `value` holds the members of its part. */
export type Operation = Record<string, unknown> & { type: string; path?: string; value?: object };

/** The `Parameters` of operations; `value` holds the members of the part. */
function parameters(operations: readonly Operation[]): object {
  return {
    resourceType: "Parameters",
    parameter: operations.map(({ value, ...rest }) => ({
      name: "operation",
      part: [
        ...Object.entries(rest).map(([name, each]) =>
          typeof each === "number" ? { name, valueInteger: each } : { name, valueString: each },
        ),
        ...(value === undefined ? [] : [{ name: "value", ...value }]),
      ],
    })),
  };
}

/** The bytes of the resource after these operations. */
export async function apply(resource: string | object, ...operations: Operation[]): Promise<string> {
  const text = typeof resource === "string" ? resource : JSON.stringify(resource);
  const patch = readFhirPathPatch(Buffer.from(JSON.stringify(parameters(operations))));
  return (await applyFhirPathPatch(Buffer.from(text), patch)).toString();
}

/** The error that the work throws. */
export async function errorOf(work: () => unknown): Promise<StokerError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof StokerError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** A patient with these members. */
export function patient(members: object = {}): object {
  return { resourceType: "Patient", ...members };
}

/** A patient with identifiers of these values. */
export function identified(...values: number[]): object {
  return patient({ identifier: values.map((value) => ({ system: "s", value: String(value) })) });
}

/** A move among the identifiers of a patient. */
export const move = (source: number, destination: number): Operation => ({
  type: "move",
  path: "Patient.identifier",
  source,
  destination,
});
/** The part of an identifier with this value. */
export const identifier = (value: number): object => ({ valueIdentifier: { system: "s", value: String(value) } });
/** A patient with a contact. */
export const named: object = patient({ contact: [{ name: { text: "a name" }, gender: "male" }] });

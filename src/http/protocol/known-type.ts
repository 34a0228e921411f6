import { StokerError } from "../../base/errors.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";

/** The type in a path. Throws `not-found` when FHIR R4 has no such type. */
export function knownType(type: string): string {
  if (resourceTypeId(type) !== undefined) return type;
  refuseOperation(type);
  throw new StokerError("not-found", `'${type.slice(0, 64)}' is not a resource type of FHIR R4.`);
}

/** Throws `not-found` for a part of a path that names an operation where none of that name is. */
export function refuseOperation(part: string): void {
  if (part.startsWith("$")) throw new StokerError("not-found", `There is no operation ${part.slice(0, 64)} here.`);
}

import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { ReferenceValue } from "../criteria/criteria.ts";
import { BARE_ID } from "../criteria/value-context.ts";

/**
 * What of a value can be a reference to a resource of `type`: keys of that type and texts that name it (`typed`), and
 * texts that name no type (`untyped`), of which the type stored beside them tells. What is of another type is left out,
 * and so are bare ids: with a type they are keys.
 */
export function restrictTo(type: string, value: ReferenceValue): { typed: ReferenceValue; untyped: string[] } {
  const targets = value.targets.filter((target) => target.type === type);
  const texts = value.texts
    .filter((text) => !BARE_ID.test(text))
    .map((text) => ({ text, named: NAMED_TYPE.exec(text)?.[1] ?? "" }));
  return {
    typed: { type: "reference", targets, texts: texts.filter(({ named }) => named === type).map(({ text }) => text) },
    untyped: texts.filter(({ named }) => resourceTypeId(named) === undefined).map(({ text }) => text),
  };
}

/** A resource's URL, or a version of a resource. A conditional reference names its type elsewhere, and counts as untyped here. */
const NAMED_TYPE = /^(?:[^?]*\/)?([A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;

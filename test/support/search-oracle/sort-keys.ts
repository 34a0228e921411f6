import type { Definition } from "./definitions.ts";
import { fold, type Value } from "./values.ts";
import type { Stored, World } from "./world.ts";

/** What a resource is sorted by: of several values the least, or the greatest when descending; undefined without any. */
export function sortKey(
  world: World,
  resource: Stored,
  definition: Definition,
  descending: boolean,
): string | bigint | undefined {
  const keys = world.values(resource, definition).flatMap(keysOf);
  return keys.reduce<string | bigint | undefined>((best, key) => {
    if (best === undefined) return key;
    return key > best === descending ? key : best;
  }, undefined);
}

/** Dates by their beginning, numbers by the least they can be, strings by 64 characters, tokens by their codes. */
function keysOf(value: Value): (string | bigint)[] {
  switch (value.kind) {
    case "date":
    case "quantity":
      return [value.low];
    case "string":
      return value.texts.map((text) => Array.from(fold(text)).slice(0, 64).join(""));
    case "uri":
      return value.texts.map((text) => Array.from(text).slice(0, 64).join(""));
    case "canonical":
    case "canonical reference":
      return [...value.texts];
    case "token":
      return value.codes.flatMap(({ code }) => code ?? []);
    case "reference":
      if (value.type !== undefined) return [`${value.type}/${value.id}`];
      return value.text === undefined ? [] : [value.text];
    default:
      return [];
  }
}

/** Whether a list of keys is in order, those that are undefined at its end. */
export function inOrder(keys: readonly (string | bigint | undefined)[], descending: boolean): boolean {
  return keys.every((key, index) => {
    const next = keys[index + 1];
    if (index === keys.length - 1 || next === undefined) return true;
    return key !== undefined && (descending ? key >= next : key <= next);
  });
}

/** JSON as it comes out of `JSON.parse`. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** A JSON object; members are looked up by name, so every one may be absent. */
export interface JsonObject {
  [name: string]: JsonValue | undefined;
}

/** Whether it is an object: neither null nor an array. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

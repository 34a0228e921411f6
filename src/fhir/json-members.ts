import { isObject, type JsonObject, type JsonValue } from "../base/json.ts";

/** The value, when it is an object. */
export function objectIn(value: JsonValue | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

/** The objects in an array; none when it is no array. */
export function objectsIn(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map(objectIn).filter((each) => each !== undefined) : [];
}

/** The texts in an array. */
export function textsIn(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/** The value, when it is a text with something in it. */
export function textIn(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

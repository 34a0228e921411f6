import { isObject, type JsonValue } from "../base/json.ts";

/** URL of the extension on `meta` that marks a deleted resource (contract 5.6); compared exactly. */
export const SOFT_DELETE_URL = "http://azurehealthcareapis.com/data-extensions/deleted-state";

/** Whether `meta` carries the marker: the URL, and any string-like `value[x]` that is exactly `soft-deleted`. */
export function isSoftDeleted(meta: JsonValue | undefined): boolean {
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) return false;
  const extensions = meta["extension"];
  if (!Array.isArray(extensions)) return false;
  return extensions.some((extension) => hasMarkerUrl(extension) && hasMarkerValue(extension));
}

/** Whether an extension has the marker's URL, whatever its value. */
export function hasMarkerUrl(extension: JsonValue): boolean {
  return isObject(extension) && extension["url"] === SOFT_DELETE_URL;
}

function hasMarkerValue(extension: JsonValue): boolean {
  if (!isObject(extension)) return false;
  return Object.entries(extension).some(([name, value]) => name.startsWith("value") && value === "soft-deleted");
}

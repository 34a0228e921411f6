import { createHash } from "node:crypto";

/** FHIR's limit on the length of an id. */
const MAX_ID_LENGTH = 64;

const HEAD = /\s*\{\s*"resourceType"\s*:\s*"[A-Za-z]+"\s*,\s*"id"\s*:\s*"([A-Za-z0-9\-.]{1,64})"/y;
const REFERENCE = /"reference"\s*:\s*"([A-Z][A-Za-z]+\/)([A-Za-z0-9\-.]{1,64})(?="|\/_history\/)/g;
const ID_STRING = /\s*:\s*"([A-Za-z0-9\-.]{1,64})"/y;

/**
 * The id that stands for `id` in the copy with this suffix: the same for a resource and for the references to it. An id
 * that would get too long becomes a hash of both.
 */
export function shiftId(id: string, suffix: string): string {
  if (id.length + suffix.length <= MAX_ID_LENGTH) return id + suffix;
  return createHash("sha256").update(id).update(suffix).digest("hex");
}

/**
 * Shifts a line of NDJSON: the resource's own id and every relative reference `Type/id` in it, so that a copied data set
 * is as well connected as the first and shares no resource with it. Ids of contained resources and of elements,
 * fragments, absolute and conditional references stay. The text may be latin1-decoded bytes, which is how the files
 * are handled: everything that is looked for is ASCII.
 */
export function shiftLine(line: string, suffix: string): string {
  const place = idPlace(line);
  const moved =
    place === undefined
      ? line
      : line.slice(0, place.start) + shiftId(line.slice(place.start, place.end), suffix) + line.slice(place.end);
  return moved.replaceAll(REFERENCE, (_, type: string, id: string) => `"reference":"${type}${shiftId(id, suffix)}`);
}

/** Where the resource's id stands in the line: between its quotes. */
function idPlace(line: string): { start: number; end: number } | undefined {
  HEAD.lastIndex = 0;
  const head = HEAD.exec(line);
  if (head !== null) {
    const end = HEAD.lastIndex - 1;
    return { start: end - (head[1]?.length ?? 0), end };
  }
  return findId(line);
}

/** The slow way, for lines that begin otherwise: the member `id` of the outermost object. */
function findId(line: string): { start: number; end: number } | undefined {
  let depth = 0;
  for (let index = 0; index < line.length; index++) {
    const character = line.charAt(index);
    if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") depth -= 1;
    else if (character === '"') {
      const end = endOfString(line, index);
      if (depth === 1 && line.slice(index + 1, end) === "id") {
        ID_STRING.lastIndex = end + 1;
        const value = ID_STRING.exec(line);
        if (value !== null) {
          const stop = ID_STRING.lastIndex - 1;
          return { start: stop - (value[1]?.length ?? 0), end: stop };
        }
      }
      index = end;
    }
  }
  return undefined;
}

/** Index of the quote that ends the string which begins at `start`. */
function endOfString(line: string, start: number): number {
  let index = start + 1;
  while (index < line.length && line.charAt(index) !== '"') index += line.charAt(index) === "\\" ? 2 : 1;
  return index;
}

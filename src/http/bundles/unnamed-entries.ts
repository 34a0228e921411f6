import type { Issue } from "../../fhir/operation-outcome.ts";
import { referencesOf } from "./bundle-references.ts";
import type { EntryRequest } from "./bundle-request.ts";

/** References to entries without a `fullUrl` that are told of in one entry's answer. */
const MOST_TOLD = 20;

/**
 * What became of references to entries that have no `fullUrl` (R4 http.html#trules: references are to the `fullUrl`s of entries).
 * A create with `resource.id` gets another id, so a reference `Type/id` to it looks as if it meant the entry, and is kept: it
 * means what the server has under that id. Warnings by the place of the entry that refers. `storedAs`: the `Type/id` of what
 * an entry has written.
 */
export function unnamedWarnings(
  entries: readonly EntryRequest[],
  storedAs: (place: number) => string | undefined,
): ReadonlyMap<number, Issue[]> {
  const named = new Set(entries.map(({ fullUrl }) => fullUrl));
  const unnamed = new Map<string, number>();
  for (const [place, { method, fullUrl, body }] of entries.entries()) {
    if (method !== "POST" || fullUrl !== undefined || body?.id === undefined) continue;
    const reference = `${body.type}/${body.id}`;
    if (storedAs(place) !== reference && !unnamed.has(reference)) unnamed.set(reference, place);
  }
  const warnings = new Map<number, Issue[]>();
  if (unnamed.size === 0) return warnings;
  for (const [place, { body }] of entries.entries()) {
    if (body === undefined) continue;
    const texts = new Set(
      referencesOf(body.bytes).places.flatMap(({ kind, text }) => (kind === "reference" ? [text] : [])),
    );
    const issues = [...texts].flatMap((text) => {
      const target = named.has(text) ? undefined : unnamed.get(text.replace(/\/_history\/[^/]*$/, ""));
      return target === undefined ? [] : [warningOf(text, target, storedAs(target))];
    });
    if (issues.length > 0) warnings.set(place, issues.slice(0, MOST_TOLD));
  }
  return warnings;
}

function warningOf(reference: string, place: number, stored: string | undefined): Issue {
  const became = stored === undefined ? "" : `, and is stored as ${stored}`;
  return {
    severity: "warning",
    code: "informational",
    diagnostics: `The reference ${reference.slice(0, 200)} is kept as it is: entry[${place}] has this id, but no fullUrl${became}.`,
  };
}

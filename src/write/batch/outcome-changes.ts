import type { ClientBase } from "pg";
import { typeIdOfKey } from "../../fhir/resource-key.ts";
import { keyArray } from "../../store/resources/heads.ts";
import type { LineOutcome } from "../versions/decide-resource.ts";
import type { LinePlace } from "./line-places.ts";
import { countsOf, type Tally } from "./unit-tally.ts";

/** A line of an earlier batch is not any more what it was counted as. */
export interface OutcomeChange {
  key: bigint;
  id: string;
  /** undefined for bare lines whose place nobody knows: they are never rejected. */
  place: LinePlace | undefined;
  /** The line's marker of a soft delete. */
  deleted: boolean;
  from: LineOutcome;
  to: LineOutcome;
}

/** FHIR issue codes and texts of the lines that the version rules reject (contract 6.3); `{id}` stands for the resource's. */
export const REJECTIONS: Readonly<Record<"duplicate" | "conflict", { code: string; message: string }>> = {
  duplicate: {
    code: "duplicate",
    message: "Failed to import duplicate resource, resource id: {id}, line: {line}",
  },
  conflict: {
    code: "conflict",
    message: "Failed to import resource with version conflict, resource id: {id}, line: {line}",
  },
};

type Counter = "loaded" | "rejected" | "updated" | "unchanged" | "deleted";

/**
 * Brings the counters of earlier lines' units and their rejected lines up to date, in the batch's transaction. Changes
 * of lines without a place are counted for `unit`, the batch's own. The resource stays created by the unit that wrote it
 * first: only `updated` goes up and down, so that the sums over the import are right, if not those of each unit.
 */
export async function applyOutcomeChanges(
  client: ClientBase,
  unit: bigint,
  changes: readonly OutcomeChange[],
): Promise<void> {
  if (changes.length === 0) return;
  await countChanges(client, unit, changes);
  const gone = placesOf(changes.filter((change) => isRejected(change.from)));
  if (gone.length > 0) {
    await client.query(
      `delete from import_rejected_line line using unnest($1::bigint[], $2::bigint[]) as gone (unit, byte_offset)
       where line.unit = gone.unit and line.byte_offset = gone.byte_offset`,
      [keyArray(gone.map(({ place }) => place.unit)), gone.map(({ place }) => place.byteOffset)],
    );
  }
  const added = placesOf(changes.filter((change) => isRejected(change.to)));
  if (added.length === 0) return;
  const rejections = added.map(({ to, id }) => {
    const { code, message } = REJECTIONS[to === "duplicate" ? "duplicate" : "conflict"];
    return { code, message: message.replace("{id}", id) };
  });
  await client.query(
    `insert into import_rejected_line (unit, byte_offset, line, length, code, message)
     select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::text[])`,
    [
      keyArray(added.map(({ place }) => place.unit)),
      added.map(({ place }) => place.byteOffset),
      added.map(({ place }) => place.line),
      added.map(({ place }) => place.length),
      rejections.map(({ code }) => code),
      rejections.map(({ message }) => message),
    ],
  );
}

/** Brings a batch's tally up to date, as {@link applyOutcomeChanges} does the counters of units. */
export function tallyChanges(tally: Tally, changes: readonly OutcomeChange[]): void {
  for (const { key, from, to, deleted } of changes) {
    const counts = { ...countsOf(tally, typeIdOfKey(key)), loaded: 0 };
    move(counts, from, deleted, -1);
    move(counts, to, deleted, 1);
    const { loaded: _, ...ofType } = counts;
    tally.types.set(typeIdOfKey(key), ofType);
  }
}

function isRejected(outcome: LineOutcome): boolean {
  return outcome === "duplicate" || outcome === "conflict";
}

function placesOf(changes: readonly OutcomeChange[]): (OutcomeChange & { place: LinePlace })[] {
  return changes.map((change) => {
    if (change.place === undefined) throw new Error("a rejected line without a place");
    return { ...change, place: change.place };
  });
}

async function countChanges(client: ClientBase, unit: bigint, changes: readonly OutcomeChange[]): Promise<void> {
  const units = new Map<bigint, Record<Counter, number>>();
  for (const { place, from, to, deleted } of changes) {
    const id = place?.unit ?? unit;
    let counts = units.get(id);
    if (counts === undefined) {
      units.set(id, (counts = { loaded: 0, rejected: 0, updated: 0, unchanged: 0, deleted: 0 }));
    }
    move(counts, from, deleted, -1);
    move(counts, to, deleted, 1);
  }
  // In one order, against deadlocks with other batches; PostgreSQL does not promise it, and the batch can be repeated
  const ordered = [...units].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const column = (counter: Counter): number[] => ordered.map(([, counts]) => counts[counter]);
  await client.query(
    `update import_unit unit set loaded = unit.loaded + change.loaded, rejected = unit.rejected + change.rejected,
       updated = unit.updated + change.updated, unchanged = unit.unchanged + change.unchanged,
       deleted = unit.deleted + change.deleted
     from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
       as change (id, loaded, rejected, updated, unchanged, deleted)
     where unit.id = change.id`,
    [
      keyArray(ordered.map(([id]) => id)),
      column("loaded"),
      column("rejected"),
      column("updated"),
      column("unchanged"),
      column("deleted"),
    ],
  );
}

function move(counts: Record<Counter, number>, outcome: LineOutcome, deleted: boolean, by: 1 | -1): void {
  if (isRejected(outcome)) {
    counts.rejected += by;
    return;
  }
  counts.loaded += by;
  if (outcome === "unchanged") {
    counts.unchanged += by;
    return;
  }
  counts.updated += by;
  if (deleted) counts.deleted += by;
}

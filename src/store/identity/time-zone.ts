import { StokerError } from "../../base/errors.ts";
import { installTimeZone, timeZoneName, UTC } from "../../base/time-zone.ts";
import type { Queryable } from "../../postgres/pool.ts";

/**
 * Makes this thread read dates without a zone in that of the store; a store that is new gets the zone that is wanted, or UTC. To be
 * called when the migrations have run, before anything is stored or asked. Servers that start at the same time agree on one
 * zone. Returns its name. Throws `setting` when another one is wanted than the store has: its dates are indexed with that.
 */
export async function openStoreTimeZone(db: Queryable, wanted?: string): Promise<string> {
  let name = await readName(db);
  if (name === undefined) {
    const made = timeZoneName(wanted ?? UTC) ?? UTC;
    await db.query({ text: "insert into time_zone (name) values ($1) on conflict do nothing", values: [made] });
    name = await readName(db);
  }
  if (name === undefined) throw new StokerError("internal", "The time zone of the store cannot be read.");
  if (wanted !== undefined && timeZoneName(wanted) !== timeZoneName(name)) {
    const text = `STOKER_TIME_ZONE: this store was made with ${name}, and its dates are indexed with that; leave the setting out, or load into an empty store to use ${wanted}.`;
    throw new StokerError("setting", text, { expression: "STOKER_TIME_ZONE" });
  }
  installTimeZone(name);
  return name;
}

async function readName(db: Queryable): Promise<string | undefined> {
  const { rows } = await db.query<{ name: string }>({ text: "select name from time_zone" });
  return rows[0]?.name;
}

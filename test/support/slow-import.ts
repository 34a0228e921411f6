import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseConnection } from "../../src/postgres/connection.ts";
import { withSession } from "./fingerprints.ts";
import { until } from "./stoker-run.ts";

/**
 * Makes imports in a database slow, and stops them at a gate, by triggers: so a test can disturb one import many times
 * over, whatever the speed of the machine. All functions open a session of their own and try again while PostgreSQL is
 * not there.
 */
export interface SlowImport {
  /** Throws when an import that had units has failed. */
  readonly progress: () => Promise<Progress>;
  /**
   * Waits until a batch was committed after `before`, or nothing is left to commit. While some unit was claimed so often in
   * vain that its import may be given up for it, it waits on, and lets more units begin.
   */
  advanced(before: Progress): Promise<Progress>;
  /** Waits until all units are done; the gate must be open. */
  allDone(): Promise<Progress>;
  /** Batches that wait at the gate. */
  readonly waiting: () => Promise<number>;
  /** Lets so many units begin; the batch that would begin one more waits. */
  allow(units: number): Promise<void>;
  /** Lets imports complete. Before, they wait at the very end. */
  allowEnd(): Promise<void>;
  /** No more waiting, anywhere. */
  release(): Promise<void>;
  /** Ends the leases of units whose worker's session is gone: they are free at once, and not after 30 seconds. */
  endLeases(): Promise<void>;
  /** The same for the lease of who plans or finishes an import, and ends his session where it waits to complete it. */
  endSteps(): Promise<void>;
}

/** The units of all imports: those that have begun, the lines they have loaded or rejected, and those that are not done. */
export interface Progress {
  readonly begun: number;
  readonly lines: number;
  readonly open: number;
  /** Claims in vain of the unit that has most of them. */
  readonly claims: number;
}

/** An import is given up after twenty. */
const MANY_CLAIMS = 8;

/** Waits of up to 30 ms before each of these steps of a batch, and the gate in the last but one. */
const INSTALL = `
create table slow_import (milliseconds int not null, units int not null, ending boolean not null);
insert into slow_import values (30, 0, false);
grant select on slow_import to public;
create function slow_step() returns trigger language plpgsql as $$
begin
  perform pg_sleep(random() * milliseconds / 1000.0) from slow_import;
  return null;
end $$;
create trigger slow before insert on body_block for each statement execute function slow_step();
create trigger slow before insert on resource_current for each statement execute function slow_step();
create trigger slow before insert on resource_history for each statement execute function slow_step();
create trigger slow before insert on import_rejected_line for each statement execute function slow_step();
create function slow_unit() returns trigger language plpgsql as $$
begin
  perform pg_sleep(random() * milliseconds / 1000.0) from slow_import;
  while old.position is null
    and (select count(*) from import_unit where position is not null) >= (select units from slow_import) loop
    perform pg_sleep(0.01);
  end loop;
  return new;
end $$;
create trigger slow before update on import_unit for each row when (new.position is distinct from old.position)
  execute function slow_unit();
create function slow_end() returns trigger language plpgsql as $$
begin
  while not (select ending from slow_import) loop
    perform pg_sleep(0.01);
  end loop;
  return new;
end $$;
create trigger slow before update on import_job for each row when (new.state = 2) execute function slow_end();
`;

/** Installs the triggers. The database must have its tables. */
export async function slowDownImports(connection: DatabaseConnection): Promise<SlowImport> {
  const run = async <Row>(sql: string): Promise<Row[]> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await withSession(connection, async (client) => (await client.query(sql)).rows as Row[]);
      } catch (error) {
        if (attempt === 600) throw error;
        await sleep(50);
      }
    }
  };
  await withSession(connection, (client) => client.query(INSTALL));
  const slow: SlowImport = {
    async progress() {
      const [row] = await run<Progress & { failure: string | null }>(
        `select count(*) filter (where position is not null)::int as begun, coalesce(sum(loaded + rejected), 0)::int as lines,
           count(*) filter (where state in (0, 1))::int as open,
           coalesce(max(attempts) filter (where state in (0, 1)), 0)::int as claims,
           (select min(failure::text) from import_job job where state = 3
             and exists (select from import_unit unit where unit.job = job.id)) as failure
         from import_unit`,
      );
      if (row === undefined) throw new Error("no row");
      if (row.failure !== null) throw new Error(`the import failed: ${row.failure}`);
      return row;
    },
    async advanced(before) {
      return await until(
        async () => {
          await slow.endLeases();
          const now = await slow.progress();
          if (now.claims >= MANY_CLAIMS) await slow.allow(now.begun + 1);
          return now;
        },
        (now) => (now.lines > before.lines && now.claims < MANY_CLAIMS) || (now.lines > 0 && now.open === 0),
      );
    },
    async allDone() {
      return await until(
        async () => {
          await slow.endLeases();
          return await slow.progress();
        },
        ({ lines, open }) => lines > 0 && open === 0,
      );
    },
    async waiting() {
      const rows = await run<{ at: boolean }>(
        `select true as at from pg_stat_activity
         where datname = current_database() and application_name like 'stoker import worker unit %' and wait_event = 'PgSleep'
           and query like 'update import_unit%' and state_change < now() - interval '1 second'`,
      );
      return rows.length;
    },
    async allow(units) {
      await run(`update slow_import set units = ${String(units)}`);
    },
    async allowEnd() {
      await run("update slow_import set ending = true");
    },
    async release() {
      await run("update slow_import set milliseconds = 0, units = 1000000, ending = true");
    },
    async endLeases() {
      await run(
        `update import_unit set lease_until = now() - interval '1 second' where id in (
           select id from import_unit unit
           where state = 1 and lease_until > now() and not exists (
             select from pg_stat_activity where datname = current_database() and application_name = 'stoker import worker unit ' || unit.id)
           for update skip locked)`,
      );
    },
    async endSteps() {
      await run(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where wait_event = 'PgSleep' and query like 'update import_job %' and datname = current_database()`,
      );
      await run(
        `update import_job set lease_until = now() - interval '1 second' where id in (
           select id from import_job where lease_until is not null for update skip locked)`,
      );
    },
  };
  return slow;
}

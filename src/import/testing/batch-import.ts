import { setTimeout as sleep } from "node:timers/promises";
import type { PoolClient } from "pg";
import { createIndexer } from "../../index/indexer.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { LineFramer } from "../../split/line-framer.ts";
import { BlockCache, readBodies } from "../../store/resources/body.ts";
import { copyRows } from "../../postgres/copy.ts";
import { openSegment } from "../../store/segments/segments.ts";
import { Stamps } from "../../store/search/stamps.ts";
import type { TestDatabase } from "../../postgres/testing/test-database.ts";
import { Batch, BATCH_LINES, type RejectedLine } from "../../write/batch/batch.ts";
import { displaceIds, KeysTaken } from "../../write/displacement/displace.ts";
import { BatchWriter, ClockWait, SegmentClosed } from "../../write/batch/batch-writer.ts";
import { noTimes } from "../../write/batch/stage-times.ts";

/** The sums over an import's units. */
export interface ImportCounts {
  loaded: number;
  rejected: number;
  created: number;
  updated: number;
  unchanged: number;
  deleted: number;
}

/** An import whose batches a test makes, each a unit of its own, through the real batch and the real writer. */
export interface BatchImport {
  readonly job: bigint;
  /** Commits lines of NDJSON (without ends) as one batch; repeated after the errors the unit runner repeats after. */
  commit(lines: readonly string[]): Promise<void>;
  counts(): Promise<ImportCounts>;
  /** Rejected lines: byte offset counted over all batches in the order of their commits → issue code. */
  rejected(): Promise<{ text: string; code: string; message: string }[]>;
  close(): void;
}

/** What every test's lines begin at, for the sake of large numbers. */
const FIRST_OFFSET = 5_000_000_000;

const indexer = createIndexer();

/** Opens an import in a database; `close` gives its connection back. */
export async function openBatchImport(
  database: TestDatabase,
  options: { negatives?: boolean; live?: boolean; mode?: "InitialLoad" | "IncrementalLoad"; job?: bigint } = {},
): Promise<BatchImport> {
  const { pool } = database;
  const { negatives = false, live = true, mode = "IncrementalLoad" } = options;
  const client: PoolClient = await pool.connect();
  const job = options.job ?? (await newJob(client));
  const batch = new Batch(indexer, noTimes());
  const writer = new BatchWriter(noTimes());
  const stamps = new Stamps();
  const texts = new Map<string, string>();
  let offset = FIRST_OFFSET;

  const commitOnce = async (unit: bigint): Promise<void> => {
    const target = { number: await openSegment(client, live), live };
    await writer.prepare(client, batch);
    await client.query("begin");
    try {
      const rejected: RejectedLine[] = [...batch.rejected];
      const context = { mode, allowNegativeVersions: negatives, importJob: job, unit, now: Date.now() };
      const { counts, copies } = await writer.write(client, batch, target, context, rejected);
      for (const { table, columns, buffer, ranges } of copies) {
        await copyRows(client, table, columns, buffer, ranges);
      }
      for (const { byteOffset, line, length, code, message } of rejected) {
        await client.query("insert into import_rejected_line values ($1, $2, $3, $4, $5, $6)", [
          unit,
          byteOffset,
          line,
          length,
          code,
          message,
        ]);
      }
      await client.query(
        `update import_unit set loaded = loaded + $2, rejected = rejected + $3, created = created + $4,
           updated = updated + $5, unchanged = unchanged + $6, deleted = deleted + $7, state = 2 where id = $1`,
        [unit, counts.loaded, rejected.length, counts.created, counts.updated, counts.unchanged, counts.deleted],
      );
      await client.query("commit");
    } catch (error) {
      await client.query("rollback");
      throw error;
    }
  };

  return {
    job,
    async commit(lines) {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
      const framer = new LineFramer({ start: 0, end: bytes.length, fileLength: bytes.length });
      const inserted = await client.query<{ id: string }>(
        "insert into import_unit (job, input, start_offset, end_offset) values ($1, 1, 0, 0) returning id::text",
        [job],
      );
      const unit = BigInt(inserted.rows[0]?.id ?? 0);
      batch.clear(await stamps.take(client, BATCH_LINES));
      const block = framer.push(bytes);
      if (block !== undefined) {
        block.offset += offset;
        for (let index = 0; index < block.count; index++) {
          const start = block.starts[index] ?? 0;
          texts.set(`${unit}/${block.offset + start}`, block.bytes.toString("utf8", start, block.ends[index]));
        }
        batch.addLines(block, 0, { mode, declaredType: undefined, now: Date.now() });
      }
      offset += bytes.length;
      for (;;) {
        try {
          await commitOnce(unit);
          return;
        } catch (error) {
          if (error instanceof ClockWait) await sleep(Math.max(1, error.until - Date.now()));
          else if (error instanceof KeysTaken) {
            await displaceIds(client, indexer, error.taken);
            batch.indexAgain(await stamps.take(client, BATCH_LINES));
          } else if (!(error instanceof SegmentClosed || isRepeatable(error))) throw error;
        }
      }
    },
    async counts() {
      const { rows } = await pool.query<ImportCounts>(
        `select sum(loaded)::int as loaded, sum(rejected)::int as rejected, sum(created)::int as created,
           sum(updated)::int as updated, sum(unchanged)::int as unchanged, sum(deleted)::int as deleted
         from import_unit where job = $1`,
        [job],
      );
      if (rows[0] === undefined) throw new Error("no sums");
      return rows[0];
    },
    async rejected() {
      const { rows } = await pool.query<{ place: string; code: string; message: string }>(
        `select line.unit || '/' || byte_offset as place, code, message
         from import_rejected_line line join import_unit unit on unit.id = line.unit where job = $1 order by 1`,
        [job],
      );
      return rows.map(({ place, code, message }) => {
        const text = texts.get(place);
        if (text === undefined) throw new Error(`no line of this import is at ${place}`);
        return { text, code, message };
      });
    },
    close: () => client.release(),
  };
}

async function newJob(client: PoolClient): Promise<bigint> {
  const { rows } = await client.query<{ id: string }>(
    `with job as (
       insert into import_job (id, definition_hash, definition, request_url, state)
       select id, decode(lpad(to_hex(id), 64, '0'), 'hex'), '{}', '', 1 from nextval('import_job_id') id returning id
     ), input as (insert into import_input (job, number, url) select id, 1, '' from job)
     select id::text from job`,
  );
  return BigInt(rows[0]?.id ?? 0);
}

function isRepeatable(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "23505" || error.code === "40P01");
}

/** A Patient: `v2@2002`, `@2002`, `bare`; `!` marks a deletion, `=x` the content. */
export function patient(id: string, text: string): string {
  const match = /^(?:bare|(?:v(-?\d+))?@(-?\d+))(!)?(?:=(\w+))?$/.exec(text);
  if (match === null) throw new Error(text);
  const [, versionId, date, deleted, content = "none"] = match;
  const time = Number(date) < 3000 ? Date.UTC(Number(date), 0, 1) : Number(date);
  const url = "http://azurehealthcareapis.com/data-extensions/deleted-state";
  const meta = {
    ...(versionId === undefined ? {} : { versionId }),
    ...(date === undefined ? {} : { lastUpdated: new Date(time).toISOString() }),
    ...(deleted === undefined ? {} : { extension: [{ url, valueString: "soft-deleted" }] }),
  };
  const said = Object.keys(meta).length === 0 ? {} : { meta };
  return JSON.stringify({ resourceType: "Patient", id, ...said, name: [{ family: content }] });
}

/** The versions of a Patient, greatest number first: `v2@2002=x`, `@now` for dates of this year; `!` deleted; `*` current. */
export async function historyOf(database: TestDatabase, id: string): Promise<string[]> {
  const { pool } = database;
  const { rows } = await pool.query<{
    version_id: number;
    last_updated: string;
    deleted: boolean;
    block: string;
    block_offset: number;
    body_length: number;
    current: boolean;
    origin: number;
  }>(
    `select version_id, last_updated::text, deleted, block::text, block_offset, body_length, origin, true as current
       from resource_current where key = $1 and version_id is not null
     union all select version_id, last_updated::text, deleted, block::text, block_offset, body_length, origin, false
       from resource_history where key = $1 order by version_id desc`,
    [resourceKeyOf("Patient", id)],
  );
  const places = rows.map((row) => ({ block: BigInt(row.block), offset: row.block_offset, length: row.body_length }));
  const bodies = await readBodies(pool, new BlockCache(1 << 20), places);
  return rows.map((row, index) => {
    const body = JSON.parse(bodies[index]?.toString("utf8") ?? "") as { name: { family: string }[] };
    const date = row.origin === 0 ? "now" : String(new Date(Number(row.last_updated)).getUTCFullYear());
    return `v${row.version_id}@${date}${row.deleted ? "!" : ""}=${body.name[0]?.family ?? ""}${row.current ? "*" : ""}`;
  });
}

/** The families that a search over the search rows finds a Patient by, with the dates its row has; [] when none. */
export async function foundBy(
  database: TestDatabase,
  id: string,
): Promise<{ families: string[]; lastUpdated: number[] }> {
  const key = resourceKeyOf("Patient", id);
  const isFresh =
    "not exists (select from stale_row s where s.key = r.key and s.segment = r.segment and s.stamp = r.stamp)";
  const strings = await database.pool.query<{ value: string }>(
    `select distinct value from search_string r where key = $1 and ${isFresh} order by value`,
    [key],
  );
  const resources = await database.pool.query<{ date: string }>(
    `select last_updated::text as date from search_resource r where key = $1 and ${isFresh}`,
    [key],
  );
  return {
    families: strings.rows.map(({ value }) => value),
    lastUpdated: resources.rows.map(({ date }) => Number(date)),
  };
}

import type { Pool } from "pg";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { JobState, UnitState } from "../../import/job/job-state.ts";

/** The metrics of one application. */
export interface Metrics {
  /** Prometheus' content type. */
  readonly contentType: string;
  /** Everything as Prometheus text; the numbers of imports are read from the database, so that they cover all processes. */
  text(): Promise<string>;
  /** Counts an HTTP request; `seconds` until its answer was sent. */
  observe(method: string, route: string, status: number, seconds: number): void;
}

const LINES = `
select coalesce(sum(loaded), 0)::float8 as loaded, coalesce(sum(rejected), 0)::float8 as rejected,
  coalesce(sum(case
    when state = ${UnitState.completed} then end_offset - start_offset
    when position is null then 0
    else greatest(0, least(position, end_offset) - start_offset)
  end), 0)::float8 as bytes,
  count(*) filter (where state in (${UnitState.created}, ${UnitState.running}))::float8 as open
from import_unit`;

const IMPORTS = `
select case state when ${JobState.created} then 'created' when ${JobState.running} then 'running'
    when ${JobState.completed} then 'completed' when ${JobState.failed} then 'failed' else 'cancelled' end as state,
  count(*)::float8 as count,
  extract(epoch from clock_timestamp() - min(created_at))::float8 as age
from import_job group by 1`;

/** What requests ask of this process at the moment. */
export interface RequestLoad {
  /** Bytes that they are counted with. */
  readonly memory: () => number;
  /** Writes that are not done. */
  readonly writes: () => number;
}

/**
 * Makes the metrics, in a registry of their own. `stageSeconds`: where the time of this process's imports went, per stage
 * of the pipeline.
 */
export function openMetrics(
  database: Pool,
  stageSeconds: () => Readonly<Record<string, number>>,
  load: RequestLoad,
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registry.registerMetric(
    new Gauge({
      name: "stoker_request_memory_bytes",
      help: "Bytes that requests in progress are counted with.",
      registers: [],
      collect() {
        this.set(load.memory());
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: "stoker_writes_waiting",
      help: "Writes by requests that wait or are being carried out.",
      registers: [],
      collect() {
        this.set(load.writes());
      },
    }),
  );
  const requests = new Histogram({
    name: "stoker_http_request_duration_seconds",
    help: "Time from a request's arrival to the end of its answer.",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  const lines = new Counter({
    name: "stoker_import_lines_total",
    help: "Lines of imports that were loaded or rejected, by all processes on this database.",
    labelNames: ["outcome"],
    registers: [registry],
  });
  const bytes = new Counter({
    name: "stoker_import_bytes_total",
    help: "Bytes of input files that imports have worked through, by all processes on this database.",
    registers: [registry],
  });
  const open = new Gauge({
    name: "stoker_import_open_units",
    help: "Units of imports that are waiting or being worked on.",
    registers: [registry],
  });
  const imports = new Gauge({
    name: "stoker_imports",
    help: "Imports by state: created, running, completed, failed, cancelled.",
    labelNames: ["state"],
    registers: [registry],
  });
  const oldest = new Gauge({
    name: "stoker_import_oldest_age_seconds",
    help: "Time since the registration of the oldest import that has not ended; 0 when there is none.",
    registers: [registry],
  });
  const stages = new Counter({
    name: "stoker_import_stage_seconds_total",
    help: "Time that this process's import workers spent per stage, summed over the workers; publish builds indexes.",
    labelNames: ["stage"],
    registers: [registry],
  });
  return {
    contentType: registry.contentType,
    async text() {
      const { rows } = await database.query<Record<"loaded" | "rejected" | "bytes" | "open", number>>(LINES);
      const sums = rows[0];
      if (sums !== undefined) {
        lines.reset();
        lines.inc({ outcome: "loaded" }, sums.loaded);
        lines.inc({ outcome: "rejected" }, sums.rejected);
        bytes.reset();
        bytes.inc(sums.bytes);
        open.set(sums.open);
      }
      const states = await database.query<{ state: string; count: number; age: number }>(IMPORTS);
      imports.reset();
      for (const { state, count } of states.rows) imports.set({ state }, count);
      oldest.set(Math.max(0, ...states.rows.filter((row) => isOpen(row.state)).map((row) => row.age)));
      stages.reset();
      for (const [stage, seconds] of Object.entries(stageSeconds())) stages.inc({ stage }, seconds);
      return await registry.metrics();
    },
    observe(method, route, status, seconds) {
      requests.observe({ method, route, status: String(status) }, seconds);
    },
  };
}

function isOpen(state: string): boolean {
  return state === "created" || state === "running";
}

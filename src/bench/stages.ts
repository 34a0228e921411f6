/** The stages of an import's pipeline, as the metric `stoker_import_stage_seconds_total` names them, in their order. */
export const STAGE_NAMES: readonly (readonly [label: string, title: string])[] = [
  ["read", "read"],
  ["parse", "parse"],
  ["check", "check"],
  ["index", "index"],
  ["encode", "encode"],
  ["copy", "COPY"],
  ["publish", "index build"],
];

/** Seconds of the workers' time by stage label. */
export type StageSeconds = Readonly<Record<string, number>>;

const SAMPLE = /^stoker_import_stage_seconds_total\{([^}]*)\}\s+([0-9.eE+-]+)/;

/** Reads the stages out of a page of Prometheus metrics, summed over all other labels; undefined when there are none. */
export function parseStages(metrics: string): StageSeconds | undefined {
  const seconds: Record<string, number> = {};
  for (const line of metrics.split("\n")) {
    const sample = SAMPLE.exec(line);
    const stage = /(?:^|,)\s*stage="([^"]*)"/.exec(sample?.[1] ?? "")?.[1];
    if (stage !== undefined) seconds[stage] = (seconds[stage] ?? 0) + Number(sample?.[2]);
  }
  return Object.keys(seconds).length === 0 ? undefined : seconds;
}

/** What was added between two readings; undefined when the later one has nothing. */
export function stagesBetween(
  before: StageSeconds | undefined,
  after: StageSeconds | undefined,
): StageSeconds | undefined {
  if (after === undefined) return undefined;
  return Object.fromEntries(Object.entries(after).map(([stage, total]) => [stage, total - (before?.[stage] ?? 0)]));
}

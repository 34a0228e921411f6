/** What the server said of an import at one moment. */
export interface ProgressState {
  /** Milliseconds on any clock that does not jump. */
  readonly time: number;
  readonly phase: "planning" | "loading" | "finishing";
  readonly bytes: number;
  /** 0 while it is not known. */
  readonly totalBytes: number;
  readonly loaded: number;
  readonly rejected: number;
}

/** What a progress line shows. */
export interface ProgressView {
  readonly phase: ProgressState["phase"];
  /** 0 to 1. */
  readonly share: number;
  readonly loaded: number;
  readonly rejected: number;
  /** Per second over the last seconds; undefined before there is anything to measure. */
  readonly resourceRate: number | undefined;
  readonly byteRate: number | undefined;
  /** Seconds. */
  readonly remaining: number | undefined;
  readonly elapsed: number;
}

/** Rates are taken over this time: long enough to be calm, short enough to show a change. */
const WINDOW_MS = 10_000;

/** Keeps the snapshots that rates are computed from. */
export interface ProgressTrack {
  readonly started: number;
  readonly recent: ProgressState[];
}

/** Begins to follow an import at `time`. */
export function createTrack(time: number): ProgressTrack {
  return { started: time, recent: [] };
}

/** Adds a snapshot and says what to show. */
export function follow(track: ProgressTrack, snapshot: ProgressState): ProgressView {
  const { recent } = track;
  recent.push(snapshot);
  while (recent.length > 2 && (recent[1]?.time ?? 0) <= snapshot.time - WINDOW_MS) recent.shift();
  const first = recent.find((past) => past.phase !== "planning") ?? snapshot;
  const seconds = (snapshot.time - first.time) / 1000;
  const measured = seconds > 0 && snapshot.bytes > first.bytes;
  const byteRate = measured ? (snapshot.bytes - first.bytes) / seconds : undefined;
  const lines = snapshot.loaded + snapshot.rejected - first.loaded - first.rejected;
  const left = snapshot.totalBytes - snapshot.bytes;
  return {
    phase: snapshot.phase,
    share: snapshot.totalBytes > 0 ? Math.min(1, snapshot.bytes / snapshot.totalBytes) : 0,
    loaded: snapshot.loaded,
    rejected: snapshot.rejected,
    resourceRate: measured ? lines / seconds : undefined,
    byteRate,
    remaining: byteRate === undefined || snapshot.phase !== "loading" ? undefined : left / byteRate,
    elapsed: (snapshot.time - track.started) / 1000,
  };
}

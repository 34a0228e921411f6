import { fit, formatBytes, formatClock, formatCount, formatPlural } from "../../terminal/format.ts";
import type { Terminal } from "../../terminal/display.ts";

/** Shows how far an export is. */
export interface ExportDisplay {
  /** The server is at work; `progress` is what it says of it. */
  waiting(progress: string): void;
  /** Files are fetched. */
  fetching(done: Amount & { readonly bytes: number; readonly lines: number }, total: Total): void;
  /** Removes the rewritten line, so that other text may follow. */
  end(): void;
}

interface Amount {
  readonly files: number;
}

interface Total extends Amount {
  /** 0 where the manifest does not say. */
  readonly resources: number;
}

const CLEAR_LINE = "\r\u001B[2K";
/** Between two looks of a line that is rewritten, and between two lines where none can be. Milliseconds. */
const DRAW_MS = 100;
const PLAIN_MS = 5000;

/** Opens a display on a terminal: one line that is rewritten, or else a plain line every few seconds. */
export function createExportDisplay(terminal: Terminal): ExportDisplay {
  const started = performance.now();
  let fetchingSince: { time: number; bytes: number } | undefined;
  let shown = started;
  let isDrawn = false;
  const show = (text: string): void => {
    const now = performance.now();
    if (now - shown < (terminal.interactive ? DRAW_MS : PLAIN_MS)) return;
    shown = now;
    const line = `${text}, elapsed ${formatClock((now - started) / 1000)}`;
    terminal.write(terminal.interactive ? CLEAR_LINE + fit(line, Math.max(10, terminal.width() - 1)) : `${line}\n`);
    isDrawn = terminal.interactive;
  };
  return {
    waiting: (progress) => show(`exporting: ${progress === "" ? "waiting for the server" : progress}`),
    fetching({ files, bytes, lines }, total) {
      fetchingSince ??= { time: performance.now(), bytes };
      const seconds = (performance.now() - fetchingSince.time) / 1000;
      const rate = seconds > 0.5 ? `, ${formatBytes((bytes - fetchingSince.bytes) / seconds)}/s` : "";
      const of = total.resources > 0 ? ` of ${formatCount(total.resources)}` : "";
      show(
        `fetching: ${formatCount(files)} of ${formatPlural(total.files, "file")}, ${formatCount(lines)}${of} resources${rate}`,
      );
    },
    end() {
      if (isDrawn) terminal.write(CLEAR_LINE);
      isDrawn = false;
    },
  };
}

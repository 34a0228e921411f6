import { fit } from "./format.ts";
import { progressLine, progressText } from "./line.ts";
import type { ProgressView } from "./view.ts";

/** Where progress is shown. */
export interface Terminal {
  write(text: string): void;
  /** A terminal whose last line can be rewritten. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** Columns, asked for each line, because windows change. */
  width(): number;
}

/** Shows how far something is. */
export interface ProgressDisplay {
  show(view: ProgressView): void;
  /** Says something beside the progress: in its place on a terminal, else as a line every few seconds. */
  tell(text: string): void;
  /** Removes the rewritten line, so that other text may follow. */
  end(): void;
}

/** Seconds between two lines where no line can be rewritten. */
const PLAIN_SECONDS = 5;
/** Seconds before the first of them: short imports go without. */
const FIRST_PLAIN_SECONDS = 2;
const CLEAR_LINE = "\r\u001B[2K";

/** Opens a display on a terminal: one line that is rewritten, or else a plain line every few seconds. */
export function createDisplay(terminal: Terminal): ProgressDisplay {
  let drawn = false;
  let nextPlain = FIRST_PLAIN_SECONDS;
  let nextTold = 0;
  return {
    show(view) {
      if (terminal.interactive) {
        terminal.write(CLEAR_LINE + progressLine(view, { width: terminal.width(), color: terminal.color }));
        drawn = true;
      } else if (view.elapsed >= nextPlain) {
        terminal.write(`${progressText(view)}\n`);
        nextPlain = view.elapsed + PLAIN_SECONDS;
      }
    },
    tell(text) {
      if (terminal.interactive) {
        terminal.write(CLEAR_LINE + fit(text, terminal.width() - 1));
        drawn = true;
      } else if (performance.now() >= nextTold) {
        terminal.write(`${text}\n`);
        nextTold = performance.now() + PLAIN_SECONDS * 1000;
      }
    },
    end() {
      if (drawn) terminal.write(CLEAR_LINE);
      drawn = false;
    },
  };
}

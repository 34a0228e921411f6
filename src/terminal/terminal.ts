import type { WriteStream } from "node:tty";
import { terminalEnvironment } from "../base/settings.ts";
import type { Terminal } from "./display.ts";

/** A standard stream as a place for progress and reports; colours only on terminals, and not with NO_COLOR. */
export function openTerminal(stream: NodeJS.WriteStream | WriteStream): Terminal {
  const { noColor, dumb } = terminalEnvironment();
  const interactive = stream.isTTY && !dumb;
  return {
    write: (text) => void stream.write(text),
    interactive,
    color: interactive && !noColor,
    width: () => stream.columns || 80,
  };
}

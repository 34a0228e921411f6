import { spawn } from "node:child_process";
import type { ServerUser } from "./server-user.ts";

/** Stops the server when Stoker dies without stopping it (kill -9, out of memory). */
export interface Watchdog {
  /** Ends the watch; the server is left alone. */
  close(): Promise<void>;
}

/**
 * A shell that waits for the end of its input, which comes when this process ends in any way, and then asks the server
 * to stop, less kindly after half a minute. A postmaster does not watch its parent, and a server that outlives a
 * killed Stoker for ever would surprise people. Windows has none: there the next start finds and stops the old server.
 */
const SCRIPT = `read -r _
kill -INT "$1" 2>/dev/null || exit 0
n=0
while [ "$n" -lt 30 ] && kill -0 "$1" 2>/dev/null; do sleep 1; n=$((n+1)); done
kill -QUIT "$1" 2>/dev/null
exit 0`;

/** Watches over the server with process id `pid`; `user` is the one it runs as, when that is not ours. */
export function openWatchdog(pid: number, user: ServerUser | undefined): Watchdog {
  if (process.platform === "win32") return { close: () => Promise.resolve() };
  const child = spawn("/bin/sh", ["-c", SCRIPT, "stoker-watchdog", String(pid)], {
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // an interrupt from the terminal goes to the whole group, and must not end the watch
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve()); // no shell: no watch, as on Windows
  });
  child.stdin.on("error", () => undefined);
  child.unref();
  (child.stdin as unknown as { unref?: () => void }).unref?.();
  return {
    async close() {
      child.ref();
      child.kill("SIGKILL"); // never by closing its input: it would signal a process id that may be another's by now
      await ended;
      child.stdin.destroy();
    },
  };
}

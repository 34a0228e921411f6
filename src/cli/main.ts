import { reportError, runCommandLine } from "./program.ts";

// A bug in a callback must not leave a half-dead process behind.
process.on("uncaughtException", (error) => {
  reportError(error);
  process.exit(2);
});

// A reader that goes away (`stoker jobs | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const exitCode = await runCommandLine(process.argv.slice(2));
// Nothing may keep the process alive after its work: output that waits is written first.
process.exitCode = exitCode;
process.stdout.write("", () => process.exit(exitCode));

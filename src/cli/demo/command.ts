import type { Command } from "commander";
import { runDemo } from "./run-demo.ts";

/** `stoker demo`, which `npm run demo` starts. */
export function addDemoCommand(program: Command): void {
  program
    .command("demo", { hidden: true })
    .description("generate sample data, import it into an embedded database, search it, and clean up")
    .action(async () => {
      process.exitCode = await runDemo();
    });
}

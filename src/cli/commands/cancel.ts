import { InvalidArgumentError, type Command } from "commander";
import { requestCancellation } from "./import/client.ts";
import { addServerOptions, serverOf, type ServerFlags } from "./jobs.ts";

/** `stoker cancel ID`. */
export function addCancelCommand(program: Command): void {
  addServerOptions(program.command("cancel"))
    .description("cancel an import; what it has loaded is kept")
    .argument("<ID>", "id of the import, as `stoker jobs` lists it", jobId)
    .addHelpText("after", "\nExample:\n  $ stoker cancel 17 --server http://127.0.0.1:8080/fhir")
    .action(async (id: string, flags: ServerFlags) => {
      const server = serverOf(flags);
      await requestCancellation(server, `${server.baseUrl}/_operations/import/${id}`);
      process.stdout.write(`import ${id} cancelled\n`);
    });
}

function jobId(text: string): string {
  if (/^\d+$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a number.");
}

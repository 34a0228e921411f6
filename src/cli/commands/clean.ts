import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { openLogger } from "../../base/logger.ts";
import {
  bytesOfCluster,
  findLeftoverClusters,
  removeLeftoverCluster,
  type LeftoverCluster,
} from "../../postgres/embedded/leftover-clusters.ts";
import { openFolders } from "../../postgres/embedded/place.ts";
import { formatBytes, formatPlural } from "../../terminal/format.ts";

/** `stoker clean`: removes databases whose data folder no longer exists. */
export function addCleanCommand(program: Command): void {
  program
    .command("clean")
    .description("remove databases that are stored outside their data folder, when that folder no longer exists")
    .option("-y, --yes", "remove them without asking")
    .addHelpText("after", "\nExample:\n  $ stoker clean --yes")
    .action(async (flags: { readonly yes?: boolean }) => {
      process.exitCode = await clean(flags.yes ?? false);
    });
}

/** One line that names the leftover databases and the command that removes them; undefined when there are none. */
export async function leftoverNotice(): Promise<string | undefined> {
  const found = await findLeftoverClusters(openFolders("/"));
  if (found.length === 0) return undefined;
  const places = found.slice(0, 3).map(({ folder }) => folder);
  const more = found.length > 3 ? ", …" : "";
  return `${formatPlural(found.length, "database")} whose data folder no longer exists ${found.length === 1 ? "takes" : "take"} room on the disk (${places.join(", ")}${more}). To list and remove: stoker clean`;
}

async function clean(isAgreed: boolean): Promise<number> {
  const found = await findLeftoverClusters(openFolders("/"));
  if (found.length === 0) {
    process.stdout.write("no leftover databases\n");
    return 0;
  }
  let total = 0;
  for (const cluster of found) {
    const bytes = await bytesOfCluster(cluster);
    total += bytes;
    process.stdout.write(`${cluster.folder}  ${formatBytes(bytes)}  its data folder was ${cluster.dataDirectory}\n`);
  }
  const what = `${formatPlural(found.length, "database")} (${formatBytes(total)})`;
  if (!isAgreed && !(await asks(`Remove ${what}? [y/N] `))) {
    process.stdout.write(
      process.stdin.isTTY ? "nothing was removed\n" : "nothing was removed; add --yes to remove them\n",
    );
    return process.stdin.isTTY ? 0 : 1;
  }
  return await removeAll(found);
}

async function removeAll(found: readonly LeftoverCluster[]): Promise<number> {
  const logger = openLogger("warn", "clean");
  let removed = 0;
  for (const cluster of found) {
    if (await removeLeftoverCluster(cluster, logger)) removed++;
    else process.stderr.write(`${cluster.folder} is in use and is kept\n`);
  }
  process.stdout.write(`${formatPlural(removed, "database")} removed\n`);
  return removed === found.length ? 0 : 1;
}

/** True when a person at the terminal answers yes; false, unasked, where there is none. */
async function asks(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}

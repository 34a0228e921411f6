// How fast is $export beside `COPY … TO`? `node bench/export.ts FOLDER [rounds]`, FOLDER with *.ndjson files. A server in
// a process of its own exports all that was imported from them into files; COPY writes the same lines, from a table with one
// text column, and one with a jsonb column, on the same PostgreSQL into a file, as psql does. Build first.
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdtemp, readdir, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { openBenchServer } from "../src/bench/databases.ts";
import { clientConfig } from "../src/postgres/connection.ts";
import { ended, openWorkplace, startImport, type StokerRun } from "../test/support/stoker-run.ts";

const folder = await realpath(process.argv[2] ?? ".");
const rounds = Number(process.argv[3] ?? 3);
const names = (await readdir(folder)).filter((name) => name.endsWith(".ndjson"));
const paths = names.map((name) => join(folder, name));

/** Seconds and resources of one export, from the kick-off to the manifest. */
async function exportAll(server: StokerRun): Promise<{ seconds: number; resources: number }> {
  const begun = performance.now();
  const kickOff = await fetch(`${server.base}/$export`, { headers: { prefer: "respond-async" } });
  const location = kickOff.headers.get("content-location");
  if (location === null) throw new Error(await kickOff.text());
  for (;;) {
    const response = await fetch(location);
    const text = await response.text();
    if (response.status === 200) {
      const seconds = (performance.now() - begun) / 1000;
      const { output } = JSON.parse(text) as { output: { count: number }[] };
      await fetch(location, { method: "DELETE" });
      return { seconds, resources: output.reduce((sum, { count }) => sum + count, 0) };
    }
    if (response.status !== 202) throw new Error(text);
    await sleep(10);
  }
}

const shown = (rate: number): string => `${Math.round(rate / 1000).toString()},000/s`;

const work = await mkdtemp(join(tmpdir(), "stoker-export-"));
await chmod(work, 0o711); // started by root, PostgreSQL runs as another user
const place = await openWorkplace();
const postgres = await openBenchServer(work, undefined, false);
try {
  const database = await postgres.createDatabase();
  const server = await place.serve({ STOKER_DATABASE_URL: database.url, STOKER_FILE_ROOT: folder });
  const imported = await ended(server, await startImport(server, paths));
  if (imported.status !== 200) throw new Error(JSON.stringify(imported.body));

  const other = await postgres.createDatabase();
  const client = new Client(clientConfig(other.connection, { applicationName: "bench" }));
  await client.connect();
  const columns = ["text", "jsonb"] as const;
  for (const column of columns) {
    await client.query(`create table lines_${column} (body ${column})`);
    for (const path of paths) {
      const copy = copyFrom(
        String.raw`copy lines_${column} (body) from stdin (format csv, quote e'\x01', delimiter e'\x02')`,
      );
      await pipeline(createReadStream(path), client.query(copy));
    }
  }
  await client.query("vacuum analyze");
  await postgres.checkpoint();

  console.log(`Node ${process.version}, PostgreSQL ${postgres.version}`);
  const best = { export: 0, text: 0, jsonb: 0 };
  for (let round = 0; round < rounds; round++) {
    const { seconds, resources } = await exportAll(server);
    best.export = Math.max(best.export, resources / seconds);
    let report = `export ${String(resources)} resources in ${seconds.toFixed(2)} s`;
    for (const column of columns) {
      const path = join(work, "copied");
      const begun = performance.now();
      await pipeline(
        client.query(copyTo(`copy (select body from lines_${column}) to stdout`)),
        createWriteStream(path),
      );
      const taken = (performance.now() - begun) / 1000;
      best[column] = Math.max(best[column], resources / taken);
      report += `; COPY of ${column} ${taken.toFixed(2)} s, ${((await stat(path)).size / 1e6).toFixed(0)} MB`;
      await rm(path);
    }
    console.log(report);
  }
  for (const column of columns) {
    const ratio = (best.export / best[column]).toFixed(2);
    console.log(`best: export ${shown(best.export)}, COPY of ${column} ${shown(best[column])}, ratio ${ratio}`);
  }
  await client.end();
  await server.end("SIGTERM");
} finally {
  await postgres.close();
  await place.close();
  await rm(work, { recursive: true, force: true });
}

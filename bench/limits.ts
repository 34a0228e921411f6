// The limits of an import, with a real server in a process of its own: `node bench/limits.ts [files] [wrong lines]`.
// Files of one resource each (what does a file cost?), then one file of wrong lines (does memory grow? is every line in
// the log?), then plain lines for comparison. Build first.
import { createWriteStream, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, openWorkplace, startImport, type Answer, type StokerRun } from "../test/support/stoker-run.ts";

const files = Number(process.argv[2] ?? 10_000);
const wrongLines = Number(process.argv[3] ?? 1_000_000);

/** The most memory the server's process has had so far, without PostgreSQL's. */
function peakMegabytes(server: StokerRun): string {
  const status = readFileSync(`/proc/${String(server.child.pid)}/status`, "utf8");
  return `${(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024).toFixed(0)} MB peak`;
}

async function load(server: StokerRun, paths: readonly string[]): Promise<{ seconds: number; answer: Answer }> {
  const begun = performance.now();
  const job = await startImport(server, paths);
  const registered = performance.now();
  // Not more often: the status of ten thousand inputs is a megabyte.
  let answer = await ask(server, job);
  for (; answer.status === 202; answer = await ask(server, job)) await sleep(250);
  const { loaded, rejected } = answer.body.stoker ?? {};
  console.log(
    `  status ${String(answer.status)}, ${String(loaded)} loaded, ${String(rejected)} rejected;`,
    `registered in ${(registered - begun).toFixed(0)} ms`,
  );
  return { seconds: (performance.now() - begun) / 1000, answer };
}

async function writeLines(path: string, count: number, line: (number: number) => string): Promise<void> {
  const out = createWriteStream(path);
  for (let number = 0; number < count; number += 1000) {
    const part = Array.from({ length: Math.min(1000, count - number) }, (_, index) => line(number + index)).join("");
    if (!out.write(part)) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
}

const patient = (number: number): string =>
  `{"resourceType":"Patient","id":"tiny-${String(number)}","gender":"female","birthDate":"1970-01-01",` +
  `"name":[{"family":"Family${String(number)}","given":["Given"]}]}\n`;

const place = await openWorkplace();
try {
  const server = await place.serve();
  console.log(`Node ${process.version}, ${peakMegabytes(server)} after the start`);

  await mkdir(join(place.files, "tiny"));
  const paths = Array.from({ length: files }, (_, number) => join(place.files, "tiny", `${String(number)}.ndjson`));
  for (const [number, path] of paths.entries()) await writeFile(path, patient(number));
  console.log(`${String(files)} files of one resource`);
  const tiny = await load(server, paths);
  console.log(
    `  ${tiny.seconds.toFixed(1)} s, ${((tiny.seconds / files) * 1000).toFixed(2)} ms a file, ${peakMegabytes(server)}`,
  );

  console.log(`${String(wrongLines)} wrong lines`);
  const wrong = join(place.files, "wrong.ndjson");
  await writeLines(wrong, wrongLines, () => `{"resourceType":"Patient","id":"x y"}\n`);
  const { seconds, answer } = await load(server, [wrong]);
  console.log(`  ${seconds.toFixed(1)} s, ${peakMegabytes(server)}`);
  const begun = performance.now();
  const response = await fetch(answer.body.error?.[0]?.url ?? "");
  let lines = 0;
  let inOrder = true;
  for await (const line of createInterface({ input: Readable.fromWeb(response.body as never) })) {
    lines += 1;
    inOrder &&= line.includes(`at line: ${String(lines)} with`);
  }
  console.log(
    `  log of ${String(lines)} lines, ${inOrder ? "every number once" : "NUMBERS ARE WRONG"},`,
    `read in ${((performance.now() - begun) / 1000).toFixed(1)} s, ${peakMegabytes(server)}`,
  );

  console.log(`${String(files * 10)} resources in one file`);
  const plain = join(place.files, "plain.ndjson");
  await writeLines(plain, files * 10, (number) => patient(1_000_000 + number));
  const one = await load(server, [plain]);
  console.log(`  ${one.seconds.toFixed(1)} s, ${peakMegabytes(server)}`);
  await server.end("SIGTERM");
} finally {
  await place.close();
}

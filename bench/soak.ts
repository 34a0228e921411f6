// An ordinary mixed load for some minutes, with a real server in a process of its own:
// `node bench/soak.ts [minutes] [megabytes]`. Imports of 3,000 lines one after another, three writers, four searchers, an export
// every 20 seconds. Prints the memory of the server's process every 30 seconds, and what failed. The exit code is 1 when something
// failed, or when the process held more than so many megabytes. Build first.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { shiftLine } from "../src/bench/shift.ts";
import { ask, openWorkplace, startImport, type StokerRun } from "../test/support/stoker-run.ts";

const minutes = Number(process.argv[2] ?? 20);
const limit = Number(process.argv[3] ?? 700);

const LINES_PER_IMPORT = 3_000;
const WRITERS = 3;
const SEARCHERS = 4;
const EXPORT_EVERY_MS = 20_000;
const REPORT_EVERY_MS = 30_000;
/** How long the server is watched after the load. */
const IDLE_MS = 30_000;

/** Requests and failures by kind. */
const counts = new Map<string, { done: number; failed: number }>();
const examples = new Map<string, string>();

function count(kind: string, failure?: string): void {
  const entry = counts.get(kind) ?? { done: 0, failed: 0 };
  counts.set(kind, entry);
  if (failure === undefined) {
    entry.done += 1;
    return;
  }
  entry.failed += 1;
  if (!examples.has(kind)) examples.set(kind, failure.slice(0, 300));
}

async function request(kind: string, url: string, init: RequestInit = {}): Promise<Response | undefined> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(60_000) });
    // A patient that no import has brought yet is not there.
    if (response.status >= 400 && response.status !== 404) {
      count(kind, `${String(response.status)} ${await response.text()}`);
      return undefined;
    }
    count(kind);
    return response;
  } catch (error) {
    count(kind, String(error));
    return undefined;
  }
}

/** Resident memory of the process and its peak, in megabytes. */
function memoryOf(server: StokerRun): { now: number; peak: number } {
  const status = readFileSync(`/proc/${String(server.child.pid)}/status`, "utf8");
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}

/** Figures of the main thread, in megabytes. */
async function heapOf(server: StokerRun): Promise<string> {
  const response = await fetch(new URL("/metrics", server.base)).catch(() => undefined);
  const text = (await response?.text()) ?? "";
  return ["heap_size_used", "heap_size_total", "external_memory"]
    .map((name) => {
      const value = Number(new RegExp(`^nodejs_${name}_bytes (\\S+)`, "m").exec(text)?.[1]);
      return `${name.replaceAll("_", " ")} ${(value / 1e6).toFixed(0)}`;
    })
    .join(", ");
}

const idOf = (line: string | undefined): string => (JSON.parse(line ?? "{}") as { id: string }).id;

const place = await openWorkplace();
try {
  const sample = join(place.files, "sample");
  spawnSync(process.execPath, [resolve("bin/stoker"), "generate", "--patients", "300", "--out", sample], {
    stdio: "inherit",
  });
  const lines = readdirSync(sample).flatMap((file) =>
    readFileSync(join(sample, file), "utf8")
      .split("\n")
      .filter((line) => line !== ""),
  );
  const patients = lines.filter((line) => line.startsWith('{"resourceType":"Patient"'));
  const observations = lines.filter((line) => line.startsWith('{"resourceType":"Observation"'));
  console.log(`Node ${process.version}, ${String(lines.length)} lines of generated data`);

  const server = await place.serve();
  const { base } = server;
  const started = performance.now();
  const end = started + minutes * 60_000;
  const isOn = (): boolean => performance.now() < end;

  const importing = async (): Promise<void> => {
    for (let number = 0; isOn(); number += 1) {
      const from = (number * LINES_PER_IMPORT) % lines.length;
      const some = [...lines.slice(from), ...lines.slice(0, from)].slice(0, LINES_PER_IMPORT);
      const path = join(place.files, `${String(number)}.ndjson`);
      await writeFile(path, some.map((line) => `${shiftLine(line, `-${String(number)}`)}\n`).join(""));
      try {
        const job = await startImport(server, [path]);
        let answer = await ask(server, job);
        for (; answer.status === 202; answer = await ask(server, job)) await sleep(100);
        const { loaded } = answer.body.stoker ?? {};
        if (loaded === LINES_PER_IMPORT) count("import");
        else count("import", JSON.stringify(answer).slice(0, 300));
      } catch (error) {
        count("import", String(error));
      }
      await rm(path);
    }
  };

  const json = { "content-type": "application/fhir+json" };
  const writing = async (writer: number): Promise<void> => {
    for (let number = 0; isOn(); number += 1) {
      const line = (number % 5 === 0 ? patients : observations)[(number * WRITERS + writer) % 300] ?? "";
      const shifted = shiftLine(line, `-w${String(writer)}-${String(number % 50)}`).replace(
        /"_?birthDate":"[^"]*",/,
        "",
      );
      const type = number % 5 === 0 ? "Patient" : "Observation";
      const url = `${base}/${type}/${idOf(shifted)}`;
      await (await request("update", url, { method: "PUT", headers: json, body: shifted }))?.arrayBuffer();
      if (number % 10 === 0) {
        const entry = observations.slice(0, 20).map((one) => {
          const resource = JSON.parse(shiftLine(one, `-t${String(writer)}-${String(number)}`)) as { id: string };
          return { resource, request: { method: "PUT", url: `Observation/${resource.id}` } };
        });
        const body = JSON.stringify({ resourceType: "Bundle", type: "transaction", entry });
        await (await request("transaction", base, { method: "POST", headers: json, body }))?.arrayBuffer();
      }
    }
  };

  const searching = async (searcher: number): Promise<void> => {
    for (let number = searcher; isOn(); number += SEARCHERS) {
      const line = patients[number % patients.length] ?? "";
      const family = /"family":"([^"]+)"/.exec(line)?.[1] ?? "x";
      const shifted = `${idOf(line)}-${String(number % 10)}`;
      const queries = [
        `Patient?family=${encodeURIComponent(family)}&_count=50`,
        `Observation?patient=Patient/${shifted}&_count=100`,
        `Encounter?patient=Patient/${shifted}&_include=Encounter:patient`,
        `Observation?date=ge2015&_sort=-date&_count=20`,
        `Patient/${shifted}/$everything?_count=200`,
        `Condition?subject:Patient.family=${encodeURIComponent(family)}&_count=30`,
      ];
      await (await request("search", `${base}/${queries[number % queries.length] ?? ""}`))?.arrayBuffer();
    }
  };

  const exporting = async (): Promise<void> => {
    for (let next = performance.now() + EXPORT_EVERY_MS; isOn(); next += EXPORT_EVERY_MS) {
      await sleep(Math.max(0, Math.min(next, end) - performance.now()));
      if (!isOn()) return;
      const headers = { accept: "application/fhir+json", prefer: "respond-async" };
      const kickOff = await request("export", `${base}/$export?_type=Patient,Condition`, { headers });
      const location = kickOff?.headers.get("content-location");
      if (location === undefined || location === null) continue;
      let status = await fetch(location);
      for (; status.status === 202; status = await fetch(location)) {
        await status.arrayBuffer();
        await sleep(250);
      }
      if (status.status !== 200) count("export result", `${String(status.status)} ${await status.text()}`);
      else {
        const { output } = (await status.json()) as { output: { url: string }[] };
        for (const { url } of output) await (await request("download", url))?.arrayBuffer();
      }
      await fetch(location, { method: "DELETE" });
    }
  };

  const samples: number[] = [];
  const sampling = async (until: () => boolean): Promise<void> => {
    let next = 0;
    while (until()) {
      const { now, peak } = memoryOf(server);
      samples.push(now);
      if (performance.now() >= next) {
        const seconds = ((performance.now() - started) / 1000).toFixed(0);
        console.log(
          `${seconds.padStart(5)} s  ${now.toFixed(0)} MB, peak ${peak.toFixed(0)}; main thread: ${await heapOf(server)}`,
        );
        next = performance.now() + REPORT_EVERY_MS;
      }
      await sleep(1000);
    }
  };

  await Promise.all([
    importing(),
    ...Array.from({ length: WRITERS }, (_, writer) => writing(writer)),
    ...Array.from({ length: SEARCHERS }, (_, searcher) => searching(searcher)),
    exporting(),
    sampling(isOn),
  ]);
  const { peak } = memoryOf(server);
  const sorted = samples.toSorted((a, b) => a - b);
  console.log(
    `median ${(sorted[sorted.length >> 1] ?? 0).toFixed(0)} MB, peak ${peak.toFixed(0)} MB; then without load:`,
  );
  const idle = performance.now() + IDLE_MS;
  await sampling(() => performance.now() < idle);
  let failures = 0;
  for (const [kind, { done, failed }] of counts) {
    failures += failed;
    console.log(
      `  ${kind.padEnd(14)} ${String(done).padStart(7)} done, ${String(failed)} failed ${examples.get(kind) ?? ""}`,
    );
  }
  await server.end("SIGTERM");
  if (failures > 0 || peak > limit) process.exitCode = 1;
} finally {
  await place.close();
}

/**
 * Watches a server from a process of its own, so that what a test computes does not count: asks `/health/live` ten times a
 * second, each time on a new connection, and reads the memory of the server and of its PostgreSQL from /proc (where there is
 * one). A server that holds more than the limit is killed before the machine suffers.
 *
 * Arguments: origin, process id, greatest resident memory in bytes. Any message is answered with what was seen since the last one.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";

const [origin, pidText, limitText] = process.argv.slice(2);
const pid = Number(pidText);
const limit = Number(limitText);
const ASK_EVERY_MS = 100;
const LOOK_EVERY_MS = 20;
const PATIENCE_MS = 60_000;

let worst = nothingSeen();
let askedAt;
let workedBefore;
let killedAt;

function nothingSeen() {
  return { liveMs: 0, asked: 0, failures: [], memory: 0, databaseMemory: 0 };
}

/** Milliseconds that the server's main thread has worked so far; undefined where there is no /proc. */
function workedMs() {
  try {
    const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return undefined;
  }
}

/**
 * How long an answer took: as long as the server's main thread worked meanwhile, where that is less. On a machine that others
 * use, too, the rest is time that the server did not get: with four builds on two cores, a turn of 0.4 s of work takes 1.2 s by
 * the clock. `STOKER_TEST_ATTACKS=full` is for an idle machine, and measures by the clock alone.
 */
function tookMs() {
  const passed = performance.now() - askedAt;
  if (process.env.STOKER_TEST_ATTACKS === "full") return passed;
  const now = workedMs();
  return now === undefined || workedBefore === undefined ? passed : Math.min(passed, now - workedBefore);
}

function ask() {
  askedAt = performance.now();
  workedBefore = workedMs();
  const request = get(`${origin}/health/live`, { agent: false, timeout: PATIENCE_MS }, (response) => {
    response.resume().on("end", () => answered(response.statusCode === 200 ? undefined : `${response.statusCode}`));
  });
  request.on("timeout", () => request.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
  request.on("error", (error) => answered(error.code ?? error.message));
}

function answered(failure) {
  if (askedAt === undefined) return;
  worst.asked++;
  worst.liveMs = Math.max(worst.liveMs, tookMs());
  if (failure !== undefined && worst.failures.length < 10) worst.failures.push(failure);
  askedAt = undefined;
  setTimeout(ask, ASK_EVERY_MS);
}

/** A number of bytes that /proc/PID/status says in kB; 0 when the process is gone. */
function memoryOf(process, name) {
  try {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${process}/status`, "utf8"));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function look() {
  const now = memoryOf(pid, "VmRSS");
  worst.memory = Math.max(worst.memory, now, memoryOf(pid, "VmHWM"));
  if (now <= limit || killedAt !== undefined) return;
  killedAt = now;
  process.kill(pid, "SIGKILL");
}

/** The greatest memory that a process below the server has for itself alone. */
function lookAtDatabase() {
  const parents = new Map();
  for (const name of processes()) parents.set(name, String(parentOf(name)));
  for (const name of parents.keys()) {
    let above = parents.get(name);
    while (above !== undefined && above !== pidText) above = parents.get(above);
    if (above === pidText) worst.databaseMemory = Math.max(worst.databaseMemory, memoryOf(name, "RssAnon"));
  }
}

function processes() {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function parentOf(name) {
  try {
    return /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** Linux then measures the greatest memory anew. */
function forgetPeak() {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Another system: the looks every 20 ms must do.
  }
}

process.on("message", () => {
  look();
  const waiting = askedAt === undefined ? 0 : tookMs();
  process.send({ ...worst, liveMs: Math.round(Math.max(worst.liveMs, waiting)), killedAt });
  worst = nothingSeen();
  forgetPeak();
});
process.on("disconnect", () => process.exit());

ask();
setInterval(look, LOOK_EVERY_MS);
setInterval(lookAtDatabase, 500);

// Gives a server's heap a limit that suits the machine, where Node.js can replace a process by another one (22.15 and later):
// otherwise its limit is half of the memory, which leaves too little for PostgreSQL and for the worker threads.
"use strict";

const { totalmem } = require("node:os");

const MEGABYTE = 1024 * 1024;
const COMMANDS = ["serve", "worker"];
/**
 * The allocator of Linux gives each thread an arena, which keeps what was freed: after minutes of exports and imports 300 MB lay in
 * 18 of them. Threads that share two give it back, and wait for each other no longer than can be measured.
 */
const MALLOC_ARENAS = "2";

/** A quarter of the memory, or of the container's limit, in MB; at least 256, at most 2048. */
function heapMegabytes() {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.min(2048, Math.max(256, Math.floor(memory / MEGABYTE / 4)));
}

/** Replaces the process by one with this limit and the same number. A limit that the user has set stays. */
function limitHeap() {
  if (typeof process.execve !== "function" || process.platform === "win32") return;
  if (!COMMANDS.includes(process.argv[2])) return;
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ");
  if (/max[-_](?:old[-_]space|heap)[-_]size|--inspect/.test(given)) return;
  const words = [
    process.execPath,
    `--max-old-space-size=${heapMegabytes()}`,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
  process.execve(process.execPath, words, { MALLOC_ARENA_MAX: MALLOC_ARENAS, ...process.env });
}

limitHeap();

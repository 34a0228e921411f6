// Gives a server's heap a limit that suits the machine, where Node.js can replace a process by another one (22.15 and later):
// otherwise its limit is half of the memory, which leaves too little for PostgreSQL and for the worker threads.
"use strict";

const { totalmem } = require("node:os");

const MEGABYTE = 1024 * 1024;
const COMMANDS = ["serve", "worker"];

/** A quarter of the memory, or of the container's limit, in MB; at least 256, at most 2048. */
function heapMegabytes() {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.min(2048, Math.max(256, Math.floor(memory / MEGABYTE / 4)));
}

/** The process goes on with this limit under the same number. A limit that was given by the user stays. */
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
  process.execve(process.execPath, words, process.env);
}

limitHeap();

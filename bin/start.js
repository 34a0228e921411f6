// Starts the command line; in a checkout that was installed without scripts it builds first.
"use strict";

const { existsSync } = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

async function start() {
  const entry = path.join(__dirname, "..", "dist", "cli", "main.js");
  if (!existsSync(entry)) await import(pathToFileURL(path.join(__dirname, "..", "build.mjs")).href);
  await import(pathToFileURL(entry).href);
}

start().catch((error) => {
  process.stderr.write(`stoker: ${error.stack}\n`);
  process.exit(2);
});

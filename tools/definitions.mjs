// Reads HL7's R4 definitions (npm package hl7.fhir.r4.examples) from disk; nothing is fetched from anywhere.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";

/**
 * @typedef {{ resourceType: string, id?: string, url?: string, [member: string]: any }} Resource
 * @typedef {object} Definitions
 * @property {(type: string) => Resource[]} ofType all resources of a type, in the order of their file names
 * @property {() => string[]} files names of all resource files, sorted
 * @property {(file: string) => Resource} read one file
 */

/** Opens the installed package of definitions. @returns {Definitions} */
export function openDefinitions() {
  const folder = dirname(createRequire(import.meta.url).resolve("hl7.fhir.r4.examples/package.json"));
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".json") && name !== "package.json" && !name.startsWith("."))
    .toSorted((a, b) => (a < b ? -1 : 1));
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
  return {
    files: () => names,
    read,
    ofType: (type) => names.filter((name) => name.startsWith(`${type}-`)).map(read),
  };
}

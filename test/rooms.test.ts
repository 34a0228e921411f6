import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/**
 * Which room may import which other: the table of docs/architecture.md. Tests, and the test helpers in `testing/`, may import
 * anything.
 */
const ROOMS: Record<string, readonly string[]> = {
  base: [],
  fhir: ["base"],
  source: ["base"],
  split: ["base"],
  check: ["base", "fhir"],
  index: ["base", "fhir"],
  postgres: ["base"],
  jobs: ["base", "postgres"],
  store: ["base", "fhir", "postgres"],
  search: ["base", "fhir", "index", "postgres", "store"],
  patch: ["base", "fhir"],
  write: "base fhir split check index postgres store search patch".split(" "),
  import: "base fhir source split check index postgres jobs store write".split(" "),
  export: "base fhir source postgres jobs store search".split(" "),
  reindex: "base fhir index postgres jobs store".split(" "),
  http: "base fhir postgres jobs store search patch write import export reindex".split(" "),
  server: "base source postgres jobs store import export reindex http".split(" "),
  terminal: ["base"],
  generate: ["base"],
  bench: "base fhir postgres store terminal generate".split(" "),
  cli: "base fhir postgres import server terminal generate bench".split(" "),
};

/**
 * The folders of the large rooms, in the order in which they may import: each one those before it. `.` is the room's own
 * files. Folders inside these folders follow no order, but no two files import each other.
 */
const FOLDERS: Record<string, readonly string[]> = {
  index: [".", "expression"],
  postgres: [".", "embedded"],
  store: ["identity", "search", "segments", "resources"],
  search: "context criteria condition cost types projection parse resolve compile execute answer . history".split(" "),
  write: "check-body versions displacement batch single interactions".split(" "),
  import: "request job plan work report .".split(" "),
  http: ["metadata", "protocol", "routes", "bundles", "."],
  cli: "report commands demo export .".split(" "),
};

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "src");
const files = sourceFiles(source);

describe("rooms", () => {
  it("are the folders of src", () => {
    expect(foldersOf(source)).toEqual(Object.keys(ROOMS).toSorted());
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(Object.entries(ROOMS))("%s imports only %j", (room, allowed) => {
    const wrong = importsFrom(room)
      .filter(({ target }) => roomOf(target) !== room && !allowed.includes(roomOf(target)))
      .map(shown);
    expect(wrong).toEqual([]);
  });

  it("have the folders that are listed", () => {
    for (const room of Object.keys(ROOMS)) {
      const listed = (FOLDERS[room] ?? []).filter((folder) => folder !== ".");
      expect([room, ...foldersOf(join(source, room))]).toEqual([room, ...listed.toSorted()]);
    }
  });

  it.each(Object.entries(FOLDERS))("%s: each folder imports only those before it in %j", (room, order) => {
    const wrong = importsFrom(room)
      .filter(({ target }) => roomOf(target) === room)
      .filter(({ file, target }) => order.indexOf(folderOf(target)) > order.indexOf(folderOf(file)))
      .map(shown);
    expect(wrong).toEqual([]);
  });

  it("have no files that import each other, directly or through others", () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].map(short).join(" -> "));
      if (done.has(file)) return;
      done.add(file);
      for (const target of importsOf(file)) visit(target, [...path, file]);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

interface Import {
  readonly file: string;
  readonly target: string;
}

function importsFrom(room: string): Import[] {
  return files
    .filter((file) => roomOf(file) === room)
    .flatMap((file) => importsOf(file).map((target) => ({ file, target })));
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === "testing" ? [] : sourceFiles(path);
    return name.endsWith(".ts") && !name.endsWith(".test.ts") ? [path] : [];
  });
}

/** Folders with source files, or with folders that have some. */
function foldersOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => statSync(join(folder, name)).isDirectory() && sourceFiles(join(folder, name)).length > 0)
    .filter((name) => name !== "testing")
    .toSorted();
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) =>
    resolve(dirname(file), match[1] ?? ""),
  );
}

function roomOf(path: string): string {
  return relative(source, path).split("/")[0] ?? "";
}

function folderOf(path: string): string {
  const [, folder = "", ...rest] = relative(source, path).split("/");
  return rest.length === 0 ? "." : folder;
}

function short(path: string): string {
  return relative(source, path);
}

function shown({ file, target }: Import): string {
  return `${short(file)} -> ${short(target)}`;
}

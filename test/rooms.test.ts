import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** Who may import whom: the table of docs/architecture.md. Tests, and the test helpers in `testing/`, may reach anywhere. */
const ROOMS: Record<string, readonly string[]> = {
  base: [],
  fhir: ["base"],
  source: ["base"],
  split: ["base"],
  check: ["base", "fhir"],
  index: ["base", "fhir"],
  store: ["base", "fhir"],
  patch: ["base", "fhir"],
  import: ["base", "fhir", "source", "split", "check", "index", "store"],
  search: ["base", "fhir", "index", "store"],
  export: ["base", "fhir", "source", "store", "search"],
  reindex: ["base", "fhir", "index", "store"],
  http: ["base", "fhir", "store", "import", "search", "export", "patch", "reindex"],
  // The composition root
  cli: "base fhir source split check index store patch import search export reindex http".split(" "),
};

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "src");

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === "testing" ? [] : sourceFiles(path);
    return name.endsWith(".ts") && !name.endsWith(".test.ts") ? [path] : [];
  });
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) =>
    resolve(dirname(file), match[1] ?? ""),
  );
}

describe("rooms", () => {
  const files = sourceFiles(source);

  it("are the folders of src", () => {
    const folders = readdirSync(source).filter((name) => statSync(join(source, name)).isDirectory());
    expect(folders.toSorted()).toEqual(Object.keys(ROOMS).toSorted());
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(Object.entries(ROOMS))("%s imports only %j", (room, allowed) => {
    const wrong: string[] = [];
    for (const file of files.filter((path) => relative(source, path).startsWith(`${room}/`))) {
      for (const target of importsOf(file)) {
        const other = relative(source, target).split("/")[0] ?? "";
        if (other !== room && !allowed.includes(other))
          wrong.push(`${relative(root, file)} -> ${relative(root, target)}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

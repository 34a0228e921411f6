import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "src");
const DECLARED = /^export (?:async )?(?:abstract )?(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm;

/** A value and a type of one name in one file are one thing: an enumeration without `enum`. */
it("an exported name is declared in one file of src", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.split("/").includes("testing"),
  );
  const declared = new Map<string, Set<string>>();
  for (const file of files) {
    for (const [, name = ""] of readFileSync(join(source, file), "utf8").matchAll(DECLARED)) {
      declared.set(name, (declared.get(name) ?? new Set()).add(file));
    }
  }
  expect(declared.size).toBeGreaterThan(500);
  expect([...declared].filter(([, places]) => places.size > 1).map(([name, places]) => [name, ...places])).toEqual([]);
});

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { AdvisoryLock } from "./advisory-locks.ts";

const source = join(dirname(fileURLToPath(import.meta.url)), "..");

function filesOf(ending: string): string[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ending));
}

/** What stands between the brackets of each call of an advisory lock function, up to the first comma. */
function firstKeys(file: string): string[] {
  const text = readFileSync(join(source, file), "utf8");
  return [...text.matchAll(/pg_(?:try_)?advisory_(?:xact_)?(?:un)?lock(?:_shared)?\(\s*([^,)]+)/g)].map(
    (match) => match[1] ?? "",
  );
}

describe("advisory locks", () => {
  const classes = Object.values(AdvisoryLock);

  it("have different numbers", () => {
    expect(new Set(classes).size).toBe(classes.length);
  });

  it("have listed numbers in SQL files", () => {
    const keys = filesOf(".sql").flatMap(firstKeys);
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(classes).toContain(Number(key));
  });

  it("come to statements in the code as parameters only, from the list", () => {
    const files = filesOf(".ts").filter((name) => !name.endsWith(".test.ts"));
    const users = files.filter((file) => firstKeys(file).length > 0);
    expect(users.length).toBeGreaterThan(3);
    for (const file of users) {
      expect([file, ...firstKeys(file)].filter((key) => key !== file && !/^\$\d$/.test(key))).toEqual([]);
      expect(readFileSync(join(source, file), "utf8"), file).toMatch(
        /import \{[^}]*\} from "[./a-z]*advisory-locks\.ts"/,
      );
    }
    // A class by any other name: the numbers of the list are hexadecimal literals of this form.
    const literals = files.filter(
      (file) =>
        file !== join("postgres", "advisory-locks.ts") &&
        /0x570[0-9a-f]{2}\b/.test(readFileSync(join(source, file), "utf8")),
    );
    expect(literals).toEqual([]);
  });
});

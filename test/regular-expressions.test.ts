import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";
import { check } from "recheck";
import { describe, expect, it } from "vitest";

/**
 * No regular expression of the program takes a time that grows faster than its input: what it is asked of comes from anybody. Each
 * is checked by recheck. How often something may repeat is left open for that (`{1,64}` becomes `+`): what is linear then is linear
 * with a bound, and can be told in some milliseconds.
 */

interface Found {
  readonly pattern: string;
  readonly flags: string;
  readonly places: string[];
}

/** Expressions that are quadratic to the tool, and why they are not here. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  [
    String.raw`"(?:[^"\\]|\\.)*"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)`,
    "index/number-literals.ts: the text is JSON that has been parsed, in which each string ends",
  ],
]);

const SOURCE = fileURLToPath(new URL("../src/", import.meta.url));

function regularExpressions(): Found[] {
  const found = new Map<string, Found>();
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.includes("/testing/"),
  );
  for (const file of files) {
    const text = readFileSync(`${SOURCE}${file}`, "utf8");
    new Visitor({
      Literal(node) {
        if (!("regex" in node)) return;
        const { pattern, flags } = node.regex;
        const place = `${file}:${String(text.slice(0, node.start).split("\n").length)}`;
        const known = found.get(`${pattern} ${flags}`);
        if (known === undefined) found.set(`${pattern} ${flags}`, { pattern, flags, places: [place] });
        else known.places.push(place);
      },
    }).visit(parseSync(file, text).program);
  }
  return [...found.values()];
}

/** With repetitions that have no bound; `{0,1}`, `{2}` and the like stay. */
function unbounded(pattern: string): string {
  return pattern.replaceAll(/(?<!\\)\{(\d+)(?:,(\d*))?\}/g, (written, least: string, most: string | undefined) => {
    if (most !== "" && Number(most ?? least) <= 2) return written;
    return least === "0" ? "*" : "+";
  });
}

async function statusOf(pattern: string, flags: string): Promise<string> {
  const { status } = await check(unbounded(pattern), flags, { timeout: 60_000, randomSeed: 1 });
  return status;
}

describe("regular expressions", () => {
  it("are told apart by the tool", async () => {
    expect(await statusOf("0+$", "")).toBe("vulnerable");
    expect(await statusOf(String.raw`\/_history\/.*$`, "")).toBe("vulnerable");
    expect(await statusOf("^(?:a|a)+$", "")).toBe("vulnerable");
    expect(await statusOf(String.raw`^[A-Za-z0-9\-.]{1,64}$`, "")).toBe("safe");
  });

  it("of the program take a time that is proportional to their input", { timeout: 600_000 }, async () => {
    const all = regularExpressions();
    expect(all.length).toBeGreaterThan(100);
    const unsafe: string[] = [];
    for (const { pattern, flags, places } of all) {
      if (EXCEPTIONS.has(pattern)) continue;
      const status = await statusOf(pattern, flags);
      if (status !== "safe") unsafe.push(`${places.join(", ")}: /${pattern}/${flags} is ${status}`);
    }
    expect(unsafe).toEqual([]);
  });

  it("have no exception that is gone", () => {
    const patterns = new Set(regularExpressions().map(({ pattern }) => pattern));
    expect([...EXCEPTIONS.keys()].filter((pattern) => !patterns.has(pattern))).toEqual([]);
  });
});

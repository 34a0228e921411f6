import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let folder: string;
let printer: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stoker-heap-"));
  printer = join(folder, "print-options.cjs");
  writeFileSync(printer, `process.stderr.write(JSON.stringify(process.execArgv) + "\\n");\n`);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The options of Node.js of each process that the command becomes, without the one that prints them. */
function optionsOf(words: readonly string[], nodeOptions = ""): string[][] {
  const { stderr, status } = spawnSync(process.execPath, ["-r", printer, resolve("bin", "stoker"), ...words], {
    env: { ...process.env, NODE_OPTIONS: nodeOptions },
    encoding: "utf8",
  });
  expect(status).toBe(0);
  const lines = stderr.split("\n").filter((line) => line.startsWith("["));
  return lines.map((line) => (JSON.parse(line) as string[]).filter((word) => word !== "-r" && word !== printer));
}

describe.skipIf(!("execve" in process))("the heap of a server", () => {
  test.each(["serve", "worker"])("%s: a quarter of the memory, at least 256 MB and at most 2 GB", (command) => {
    const [first, second, ...others] = optionsOf([command, "--help"]);
    expect([first, others]).toEqual([[], []]);
    const megabytes = Number(/^--max-old-space-size=(\d+)$/.exec(second?.join(" ") ?? "")?.[1]);
    expect(megabytes).toBeGreaterThanOrEqual(256);
    expect(megabytes).toBeLessThanOrEqual(2048);
  });

  test.each([
    ["a limit that was given", ["serve", "--help"], "--max-old-space-size=300"],
    ["other commands", ["generate", "--help"], ""],
  ])("is left alone: %s", (_, words, nodeOptions) => {
    expect(optionsOf(words, nodeOptions)).toEqual([[]]);
  });
});

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SETTING_KEYS } from "../base/setting-table.ts";
import { createProgram } from "./program.ts";
import { settingFlags } from "../terminal/setting-options.ts";
import { makeFolder, runStoker } from "./testing/spawn-stoker.ts";

let folder: string;
beforeAll(() => {
  folder = makeFolder();
  writeFileSync(join(folder, "packed.ndjson.gz"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("errors of usage: exit code 2, nothing on standard output, a hint", () => {
  test.each<[string, string[], RegExp]>([
    ["unknown flag", ["serve", "--prot", "1"], /unknown option '--prot'[^]*Did you mean --port\?[^]*--help/],
    ["unknown command", ["imprt"], /unknown command 'imprt'[^]*Did you mean import\?/],
    ["missing argument", ["import"], /missing required argument 'PATH-OR-URL'/],
    ["missing value", ["serve", "--port"], /'--port <PORT>' argument missing/],
    ["missing option", ["generate", "--out", "x"], /'--patients <N>' not specified/],
    ["bad number", ["generate", "--patients", "-1", "--out", "x"], /whole number from 1/],
    [
      "a file as folder",
      ["generate", "--patients", "1", "--out", import.meta.filename],
      /^stoker: The folder .* cannot be created \(a file has this name\)\n$/,
    ],
    [
      "an impossible folder",
      ["export", "--out", "/proc/none/such"],
      /^stoker: The folder \/proc\/none\/such cannot be created \(\w+\)\n$/,
    ],
    ["bad choice", ["import", "x", "--mode", "Initial"], /Allowed choices are IncrementalLoad, InitialLoad/],
    [
      "bad setting",
      ["serve", "--port", "99999"],
      /^stoker: STOKER_PORT \(--port\) is "99999"; it must be a port number/,
    ],
    ["no number", ["serve", "--port", "abc"], /^stoker: STOKER_PORT \(--port\) is "abc"; it must be a port number/],
    ["open host", ["serve", "--host", "0.0.0.0"], /^stoker: STOKER_HOST is "0.0.0.0", but without authentication/],
    ["worker without database", ["worker"], /^stoker: STOKER_DATABASE_URL is not set/],
    ["no such file", ["import", "/no/such/file"], /^stoker: There is no file or folder \/no\/such\/file\n$/],
    ["bad type", ["import", "/", "--type", "patient"], /^stoker: --type patient is not a resource type/],
    ["bad id", ["cancel", "seven"], /must be a number/],
    [
      "no server",
      ["jobs", "--server", "http://127.0.0.1:9/fhir"],
      /^stoker: No server answers at http:\/\/127.0.0.1:9\/fhir \(/,
    ],
    ["other URL", ["import", "ftp://x/y.ndjson"], /^stoker: ftp:\/\/x\/y\.ndjson cannot be imported/],
    ["no folder", ["export"], /required option '--out <DIR>' not specified/],
    ["no type", ["export", "--out", "x", "--type", "patient"], /^stoker: --type patient is not a resource type/],
    ["no instant", ["export", "--out", "x", "--since", "yesterday"], /^stoker: --since yesterday is not an instant/],
    ["no URL", ["jobs", "--server", "localhost"], /^stoker: --server localhost is not an http or https URL/],
  ])("%s", async (_name, words, message) => {
    const { code, stdout, stderr } = await runStoker(words);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test("compressed files are named as such", async () => {
    const { code, stderr } = await runStoker(["import", join(folder, "packed.ndjson.gz")]);
    expect(stderr).toMatch(/is compressed; unpack it first/);
    expect(code).toBe(2);
  });

  test("secrets of the environment are not printed", async () => {
    const { stderr } = await runStoker(["serve"], { STOKER_DATABASE_URL: "mysql://u:geheim@h/d" });
    expect(stderr).toMatch(/^stoker: STOKER_DATABASE_URL is \(hidden\)/);
    expect(stderr).not.toContain("geheim");
  });
});

test.each(["serve", "worker", "import", "export", "jobs", "cancel", "generate", "clean"])(
  "stoker %s --help has an example",
  async (command) => {
    const { code, stdout } = await runStoker([command, "--help"]);
    expect(stdout).toMatch(new RegExp(`Examples?:\n  \\$ stoker ${command} `));
    expect(code).toBe(0);
  },
);

test("stoker worker --help says what a worker needs", async () => {
  const { stdout } = await runStoker(["worker", "--help"]);
  expect(stdout.replaceAll(/\s+/g, " ")).toContain("STOKER_DATABASE_URL; required]");
  expect(stdout).not.toContain("embedded PostgreSQL");
});

describe("a Node.js that is too old", () => {
  test.each(["8.17.0", "18.20.8", "20.18.3"])(
    "%s: one line says what is needed and what was found",
    async (version) => {
      const pretend = join(folder, "pretend.cjs");
      writeFileSync(pretend, `Object.defineProperty(process, "versions", { value: { node: "${version}" } });`);
      const { code, stdout, stderr } = await runStoker(["--version"], { NODE_OPTIONS: `--require ${pretend}` });
      expect(stderr).toMatch(
        new RegExp(`^stoker: Node\\.js 20\\.19 or later is needed, and this is Node\\.js ${version} \\(/[^\n]+\n$`),
      );
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    },
  );

  test("can read the files that say so", () => {
    for (const file of ["stoker", "check-node.js"]) {
      const text = readFileSync(new URL(`../../bin/${file}`, import.meta.url), "utf8");
      expect(text).not.toMatch(/\b(?:const|let|class|async|await|import)\b|=>|`|\?\?|\?\./);
    }
  });
});

test("stoker --version and --help", async () => {
  const version = (await runStoker(["--version"])).stdout;
  expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect((await runStoker(["-V"])).stdout).toBe(version);
  const { stdout } = await runStoker(["--help"]);
  for (const command of ["serve", "worker", "import", "jobs", "cancel", "generate"])
    expect(stdout).toContain(`  ${command} `);
  expect(stdout).not.toContain("demo");
  expect((await runStoker(["import", "-h"])).stdout).toBe((await runStoker(["import", "--help"])).stdout);
});

test("every setting is a flag of serve, and is read back under its key", () => {
  const serve = createProgram().commands.find((command) => command.name() === "serve");
  expect(serve?.options.map((option) => option.attributeName())).toEqual(expect.arrayContaining([...SETTING_KEYS]));
  expect(settingFlags({ port: "1", importEnabled: true, config: "x", other: 1 })).toEqual({
    port: "1",
    importEnabled: true,
  });
});

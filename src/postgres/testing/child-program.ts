import { execFile, spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Compiled source files that child processes can load: the oldest Node we support reads no TypeScript. */
export interface ChildProgram {
  /** Path of a compiled file, by its path below `src/`. */
  path(source: string): string;
  /** Runs `script` (the text of an ES module) in a process of its own, with its output on pipes. */
  start(script: string, options?: SpawnOptions): Promise<ChildProcess>;
  close(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Compiles `sources` (paths below `src/`) and what they import into a temporary folder, with a link to the packages. */
export async function compileChildProgram(sources: readonly string[]): Promise<ChildProgram> {
  const out = await mkdtemp(join(tmpdir(), "stoker-child-"));
  const configuration = join(out, "tsconfig.json");
  await writeFile(
    configuration,
    JSON.stringify({
      extends: join(ROOT, "tsconfig.build.json"),
      compilerOptions: {
        rootDir: join(ROOT, "src"),
        outDir: out,
        sourceMap: false,
        typeRoots: [join(ROOT, "node_modules/@types")],
      },
      files: sources.map((source) => join(ROOT, "src", source)),
      include: [],
    }),
  );
  const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
  await new Promise<void>((resolve) => {
    // Its exit status says what it thinks of types, which is another check's business.
    execFile(process.execPath, [join(dirname(compiler), "bin", "tsc"), "-p", configuration], () => resolve());
  });
  const path = (source: string): string => join(out, source.replace(/\.ts$/, ".js"));
  for (const source of sources) if (!existsSync(path(source))) throw new Error(`${source} was not compiled`);
  await writeFile(join(out, "package.json"), '{"type":"module"}');
  await symlink(join(ROOT, "node_modules"), join(out, "node_modules"), "junction");
  let scripts = 0;
  return {
    path,
    async start(script, options = {}) {
      const file = join(out, `script-${++scripts}.mjs`);
      await writeFile(file, script);
      return spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"], ...options });
    },
    close: () => rm(out, { recursive: true, force: true }),
  };
}

/** Resolves with the first line of the child's standard output that matches; rejects with what it said when it ends before. */
export function waitForLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const listen = (text: string): void => {
      said += text;
      const line = said.split("\n").find((line) => pattern.test(line));
      if (line !== undefined) resolve(line);
    };
    child.stdout?.setEncoding("utf8").on("data", listen);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.once("close", (code) => reject(new Error(`the child ended with ${code}: ${said}`)));
  });
}

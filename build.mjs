// Compiles src/ to dist/ and copies what the compiler does not: the SQL migrations.
// A file of its own (not an npm hook), so that it also runs where install scripts are switched off.
import "./bin/check-node.js";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
let compiler;
try {
  compiler = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
} catch {
  if (existsSync(join(root, "dist"))) process.exit(0); // installed as a package: already built
  console.error("stoker: the TypeScript compiler is not installed; run `npm ci` first");
  process.exit(1);
}
rmSync(join(root, "dist"), { recursive: true, force: true });
const result = spawnSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
if (result.status !== 0) process.exit(result.status ?? 1);
cpSync(join(root, "src", "postgres", "migrations"), join(root, "dist", "postgres", "migrations"), { recursive: true });
chmodSync(join(root, "bin", "stoker"), 0o755);

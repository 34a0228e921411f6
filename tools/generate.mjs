// Writes ../generated from HL7's definitions; with --check it writes nothing and fails when a committed file differs.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { openDefinitions } from "./definitions.mjs";

const OUT = new URL("../generated/", import.meta.url);
/** Each exports `generate(definitions): Map<file name, text>`. */
const GENERATORS = [
  "./structure/generate.mjs",
  "./search-parameters/generate.mjs",
  "./compartments/generate.mjs",
  "./summary/generate.mjs",
];

const check = process.argv.includes("--check");
const definitions = openDefinitions();
let stale = 0;
for (const path of GENERATORS) {
  if (!existsSync(new URL(path, import.meta.url))) {
    console.error(`${path} does not exist: skipped`);
    continue;
  }
  const { generate } = await import(path);
  for (const [file, text] of generate(definitions)) {
    const target = new URL(file, OUT);
    const committed = existsSync(target) ? readFileSync(target, "utf8") : undefined;
    if (committed === text) {
      console.log(`generated/${file}: up to date (${text.length} characters)`);
    } else if (check) {
      stale++;
      console.error(`generated/${file}: differs from its generator's output; run npm --prefix tools run generate`);
    } else {
      writeFileSync(target, text);
      console.log(`generated/${file}: written (${text.length} characters)`);
    }
  }
}
process.exitCode = stale === 0 ? 0 : 1;

import { chmod, cp, mkdtemp, readdir, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyBinaries, findInstalledBinaries, whyUnusable, type Binaries } from "./binaries.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-binaries-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** The package as npm unpacks it when install scripts are switched off: without the library links. */
async function unpack(): Promise<Binaries> {
  const installed = await findInstalledBinaries();
  const bare = { ...installed, folder: join(folder, "native") };
  await cp(installed.folder, bare.folder, { recursive: true, filter: (path) => !path.endsWith(".a") });
  const lib = join(bare.folder, "lib");
  for (const entry of await readdir(lib, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await unlink(join(lib, entry.name));
  }
  return bare;
}

describe.runIf(process.platform === "linux")("copyBinaries", () => {
  it("makes programs run that lack their library links", async () => {
    const bare = await unpack();
    expect(await whyUnusable(bare, undefined)).toMatch(/does not run: .*libicu/);
    const copy = await copyBinaries(bare, join(folder, "copy"));
    expect(await whyUnusable(copy, undefined)).toBe(undefined);
    expect(await readdir(folder)).toEqual(["copy", "native"]);
  });

  it("makes programs run whose files only their owner may read", async () => {
    const bare = await unpack();
    for (const name of await readdir(join(bare.folder, "bin"))) await chmod(join(bare.folder, "bin", name), 0o600);
    const copy = await copyBinaries(bare, join(folder, "copy"));
    expect(await whyUnusable(copy, undefined)).toBe(undefined);
  });

  it("copies once, also when two start at the same time", async () => {
    const bare = await unpack();
    const [first, second] = await Promise.all([
      copyBinaries(bare, join(folder, "copy")),
      copyBinaries(bare, join(folder, "copy")),
    ]);
    expect(second).toEqual(first);
    expect(await whyUnusable(first, undefined)).toBe(undefined);
  });

  it("says that files are missing", async () => {
    const copy = await copyBinaries(await unpack(), join(folder, "copy"));
    await rm(join(copy.folder, "share"), { recursive: true });
    expect(await whyUnusable(copy, undefined)).toMatch(/postgres\.bki is missing/);
  });
});

describe("whyUnusable", () => {
  it.runIf(process.platform !== "win32")("refuses paths that a shell would read otherwise", async () => {
    const binaries = { folder: "/a $HOME/native", version: "18" };
    expect(await whyUnusable(binaries, undefined)).toContain("not safe in a shell");
  });
});

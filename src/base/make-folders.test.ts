import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeFolders } from "./make-folders.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-folders-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("makes all folders that are missing, also when several do it at once", async () => {
  const path = join(folder, "a", "b", "c");
  await Promise.all([makeFolders(path), makeFolders(path), makeFolders(join(folder, "a", "d"))]);
  expect((await stat(path)).isDirectory()).toBe(true);
  await makeFolders(path);
});

it("ends with an error where a file is in the way, or the file system takes no folders", async () => {
  await writeFile(join(folder, "file"), "");
  await expect(makeFolders(join(folder, "file"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makeFolders(join(folder, "file", "below"))).rejects.toThrow();
  if (process.platform === "linux") await expect(makeFolders("/proc/none/such")).rejects.toThrow();
});

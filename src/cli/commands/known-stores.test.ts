import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { knownStores, rememberStore } from "./known-stores.ts";

// Not below a folder for temporary files, whose stores are not remembered.
const ROOT = join(import.meta.dirname, "..", "..", "node_modules", ".cache");

let folder: string;
let state: string;
beforeEach(() => {
  mkdirSync(ROOT, { recursive: true });
  folder = mkdtempSync(join(ROOT, "stores-"));
  state = join(folder, "state");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function makeStore(name: string): string {
  const dataDir = join(folder, name);
  mkdirSync(join(dataDir, "postgres"), { recursive: true });
  return dataDir;
}

async function known(except = ""): Promise<string[]> {
  return (await knownStores(state, except)).map(({ dataDir }) => dataDir);
}

it("lists the stores that are still there, the last used first, each once", async () => {
  const [a, b, c] = [makeStore("a"), makeStore("b"), makeStore("c")];
  for (const dataDir of [a, b, c, a]) await rememberStore(state, dataDir);
  expect(await known()).toEqual([a, c, b]);
  expect(await known(a)).toEqual([c, b]);
  rmSync(c, { recursive: true });
  expect(await known(a)).toEqual([b]);
});

it("remembers the last twenty", async () => {
  const stores = Array.from({ length: 22 }, (_, index) => makeStore(`s${index}`));
  for (const dataDir of stores) await rememberStore(state, dataDir);
  expect(await known()).toEqual(stores.slice(2).toReversed());
});

it("does not remember temporary stores", async () => {
  await rememberStore(state, "/tmp/stoker-x/data");
  expect(await known()).toEqual([]);
});

it("knows nothing, without an error, where the file is damaged or the folder cannot be written", async () => {
  await rememberStore(undefined, makeStore("a"));
  expect(await knownStores(undefined, "")).toEqual([]);
  await rememberStore(state, makeStore("a"));
  for (const text of ["", "{", "{}", '[1,null,{"dataDir":7}]']) {
    writeFileSync(join(state, "stoker", "stores.json"), text);
    expect(await known()).toEqual([]);
  }
  const file = join(folder, "file");
  writeFileSync(file, "");
  await rememberStore(join(file, "state"), makeStore("b"));
  expect(await knownStores(join(file, "state"), "")).toEqual([]);
});

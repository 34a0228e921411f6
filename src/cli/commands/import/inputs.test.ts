import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFolder } from "../../testing/spawn-stoker.ts";
import { commonFolder, resolveInputs } from "./inputs.ts";

let folder: string;
beforeAll(() => {
  folder = realpathSync(makeFolder());
  mkdirSync(join(folder, "a", "deep er"), { recursive: true });
  mkdirSync(join(folder, "b"));
  mkdirSync(join(folder, "empty"));
  for (const name of ["a/Patient.ndjson", "a/deep er/ü#1.ndjson", "b/Observation.ndjson", "a/notes.txt"]) {
    writeFileSync(join(folder, name), "{}\n");
  }
  mkdirSync(join(folder, "mix", ".stoker", "imports"), { recursive: true });
  mkdirSync(join(folder, "mix", "store"));
  mkdirSync(join(folder, "packed"));
  for (const name of [
    "._Mac.ndjson",
    ".stoker/imports/1.ndjson",
    "store/2.ndjson",
    "UPPER.NDJSON",
    "a.ndjson.gz",
    "b.jsonl",
    "c.log",
  ]) {
    writeFileSync(join(folder, "mix", name), "{}\n");
  }
  writeFileSync(join(folder, "packed", "Patient.ndjson.gz"), "");
  symlinkSync("loop", join(folder, "loop"));
  symlinkSync(join(folder, "a", "Patient.ndjson"), join(folder, "b", "link.ndjson"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function paths(...words: string[]): (string | undefined)[] {
  return resolveInputs(words, folder).inputs.map((input) => input.path?.slice(folder.length + 1));
}

describe("inputs", () => {
  test("a folder means every *.ndjson below it, in a stable order", () => {
    expect(paths("a")).toEqual(["a/Patient.ndjson", "a/deep er/ü#1.ndjson"]);
  });

  test("hidden files and folders, and the data folder, are no input", () => {
    const { inputs, leftOut } = resolveInputs(["mix"], folder, join(folder, "mix", "store"));
    expect(inputs.map((input) => input.path)).toEqual([join(folder, "mix", "UPPER.NDJSON")]);
    expect(leftOut).toEqual([join(folder, "mix", "a.ndjson.gz"), join(folder, "mix", "b.jsonl")]);
    const named = resolveInputs(["mix/store"], folder, join(folder, "mix", "store"));
    expect(named.inputs.map((input) => input.path)).toEqual([join(folder, "mix", "store", "2.ndjson")]);
    expect(paths("mix/.stoker")).toEqual(["mix/.stoker/imports/1.ndjson"]);
  });

  test("the same file in several ways is one input", () => {
    const url = pathToFileURL(join(folder, "a", "Patient.ndjson")).href;
    expect(paths("a/Patient.ndjson", join(folder, "a", "Patient.ndjson"), url, "b/link.ndjson")).toEqual([
      "a/Patient.ndjson",
    ]);
  });

  test("a single file may have any name; sizes are known", () => {
    expect(resolveInputs(["a/notes.txt"], folder).inputs).toMatchObject([{ bytes: 3 }]);
  });

  test("special characters are encoded in URLs", () => {
    expect(resolveInputs(["a/deep er/ü#1.ndjson"], folder).inputs[0]?.url).toMatch(
      /^file:\/\/\/.*\/deep%20er\/%C3%BC%231\.ndjson$/,
    );
  });

  test("URLs of blobs stay as they are", () => {
    const url = "https://account.blob.core.windows.net/c/Patient.ndjson?sig=x";
    expect(resolveInputs([url], folder).inputs).toEqual([{ url, path: undefined, bytes: 0 }]);
  });

  test.each([
    ["nowhere", /There is no file or folder nowhere/],
    ["empty", /There are no \*\.ndjson files in empty/],
    ["packed", /There are no \*\.ndjson files in packed, but .*Patient\.ndjson\.gz: unpack compressed files/],
    ["loop", /loop cannot be read \(ELOOP\)/],
    ["s3://bucket/x.ndjson", /s3:\/\/bucket\/x\.ndjson cannot be imported: only https: and file: URLs can/],
    ["file://host/x", /is not the URL of a local file/],
  ])("%s is refused", (word, message) => {
    expect(() => resolveInputs([word], folder)).toThrow(message);
  });
});

test("the file root is the deepest folder that holds all inputs", () => {
  const root = (...words: string[]): string | undefined =>
    commonFolder(resolveInputs(words, folder).inputs)?.slice(folder.length);
  expect(root("a/Patient.ndjson")).toBe("/a");
  expect(root("a")).toBe("/a");
  expect(root("a/deep er", "b")).toBe("");
  expect(commonFolder(resolveInputs(["https://x.example/c/d"], folder).inputs)).toBeUndefined();
});

import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFolder } from "../testing/spawn-stoker.ts";
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
  symlinkSync(join(folder, "a", "Patient.ndjson"), join(folder, "b", "link.ndjson"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function paths(...words: string[]): (string | undefined)[] {
  return resolveInputs(words, folder).map((input) => input.path?.slice(folder.length + 1));
}

describe("inputs", () => {
  test("a folder means every *.ndjson below it, in a stable order", () => {
    expect(paths("a")).toEqual(["a/Patient.ndjson", "a/deep er/ü#1.ndjson"]);
  });

  test("the same file in several ways is one input", () => {
    const url = pathToFileURL(join(folder, "a", "Patient.ndjson")).href;
    expect(paths("a/Patient.ndjson", join(folder, "a", "Patient.ndjson"), url, "b/link.ndjson")).toEqual([
      "a/Patient.ndjson",
    ]);
  });

  test("a single file may have any name; sizes are known", () => {
    expect(resolveInputs(["a/notes.txt"], folder)).toMatchObject([{ bytes: 3 }]);
  });

  test("special characters are encoded in URLs", () => {
    expect(resolveInputs(["a/deep er/ü#1.ndjson"], folder)[0]?.url).toMatch(
      /^file:\/\/\/.*\/deep%20er\/%C3%BC%231\.ndjson$/,
    );
  });

  test("URLs of blobs stay as they are", () => {
    const url = "https://account.blob.core.windows.net/c/Patient.ndjson?sig=x";
    expect(resolveInputs([url], folder)).toEqual([{ url, path: undefined, bytes: 0 }]);
  });

  test.each([
    ["nowhere", /There is no file or folder nowhere/],
    ["empty", /There is no file \*\.ndjson in empty/],
    ["file://host/x", /is not the URL of a local file/],
  ])("%s is refused", (word, message) => {
    expect(() => resolveInputs([word], folder)).toThrow(message);
  });
});

test("the file root is the deepest folder that holds all inputs", () => {
  const root = (...words: string[]): string | undefined =>
    commonFolder(resolveInputs(words, folder))?.slice(folder.length);
  expect(root("a/Patient.ndjson")).toBe("/a");
  expect(root("a")).toBe("/a");
  expect(root("a/deep er", "b")).toBe("");
  expect(commonFolder(resolveInputs(["https://x.example/c/d"], folder))).toBeUndefined();
});

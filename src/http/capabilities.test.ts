import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { withTables } from "./testing/api-page.ts";

test("the tables of docs/api.md are what capabilities.ts says (UPDATE_DOCS=1 writes them)", () => {
  const page = new URL("../../docs/api.md", import.meta.url);
  const text = readFileSync(page, "utf8");
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(page, withTables(text));
  expect(readFileSync(page, "utf8")).toBe(withTables(text));
});

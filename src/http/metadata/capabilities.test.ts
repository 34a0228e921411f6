import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { API_TABLES, EXPORT_TABLES, withTables } from "../testing/api-page.ts";

test.each([
  ["api.md", "capabilities.ts", API_TABLES],
  ["export.md", "export-parameters.ts", EXPORT_TABLES],
])("the tables of docs/%s are what %s says (UPDATE_DOCS=1 writes them)", (name, _, tables) => {
  const page = new URL(`../../../docs/${name}`, import.meta.url);
  const text = readFileSync(page, "utf8");
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(page, withTables(text, tables));
  expect(readFileSync(page, "utf8")).toBe(withTables(text, tables));
});

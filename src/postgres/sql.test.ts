import { describe, expect, it } from "vitest";
import { all, any, sql, statement } from "./sql.ts";

describe("sql", () => {
  it("numbers parameters in their order, nested fragments included", () => {
    const inner = sql`b = ${2} and c = ${"x"}`;
    expect(statement(sql`a = ${1n} and ${inner} and d = ${[3n, 4n]}`)).toEqual({
      text: "a = $1 and b = $2 and c = $3 and d = $4",
      values: [1n, 2, "x", [3n, 4n]],
    });
  });

  it("never puts a value into the text", () => {
    const { text } = statement(sql`a = ${"'; drop table head; --"}`);
    expect(text).toBe("a = $1");
  });

  it("joins, with true and false for nothing", () => {
    const conditions = [sql`a = ${1}`, sql`b = ${2}`, sql`c`];
    expect(statement(all(conditions)).text).toBe("(a = $1 and b = $2 and c)");
    expect(statement(any(conditions)).text).toBe("(a = $1 or b = $2 or c)");
    expect(statement(all([])).text).toBe("(true)");
    expect(statement(any([])).text).toBe("(false)");
    expect(statement(any([sql`a = ${1}`])).text).toBe("a = $1");
  });
});

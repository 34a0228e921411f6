import { describe, expect, it } from "vitest";
import { StokerError } from "../base/errors.ts";
import { connectError, databaseError, isRetryable } from "./database-errors.ts";

function withCode(code: string, message = "x"): Error {
  return Object.assign(new Error(message), { code });
}

describe("isRetryable", () => {
  it.each(["40001", "40P01", "55P03", "57P01", "57P03", "08006", "53300", "ECONNRESET"])("is true for %s", (code) => {
    expect(isRetryable(withCode(code))).toBe(true);
  });
  it.each(["57014", "23505", "22P02", "42601", "53100", "53200", "XX000", "ENOENT"])("is false for %s", (code) => {
    expect(isRetryable(withCode(code))).toBe(false);
  });
  it.each(["Connection terminated unexpectedly", "timeout exceeded when trying to connect"])(
    "is true for %j",
    (text) => {
      expect(isRetryable(new Error(text))).toBe(true);
    },
  );
  it.each([undefined, null, "text", new Error("other"), new StokerError("setting", "x")])(
    "is false for %s",
    (error) => {
      expect(isRetryable(error)).toBe(false);
    },
  );
});

describe("databaseError", () => {
  it.each([
    ["53100", "database-full"],
    ["53200", "database-full"],
    ["57P01", "database-unavailable"],
    ["ECONNREFUSED", "database-unavailable"],
  ])("turns %s into %s", (code, expected) => {
    expect(databaseError(withCode(code))).toMatchObject({ name: "StokerError", code: expected });
  });
  it("knows a Unix socket that is not there for a server that is away", () => {
    const error = Object.assign(withCode("ENOENT"), { syscall: "connect" });
    expect(databaseError(error)).toMatchObject({ code: "database-unavailable" });
    expect(databaseError(withCode("ENOENT"))).not.toBeInstanceOf(StokerError);
  });
  it("leaves a violation of the protocol as it is: it would come again for ever", () => {
    const error = withCode("08P01");
    expect(databaseError(error)).toBe(error);
  });
  it("leaves others as they are", () => {
    const error = withCode("23505");
    expect(databaseError(error)).toBe(error);
  });
});

describe("connectError", () => {
  it.each([
    ["28P01", "setting", "refuses the user or password of postgres://u@h:1/d"],
    ["3D000", "setting", "the database does not exist at postgres://u@h:1/d"],
    ["57P03", "database-unavailable", "no PostgreSQL answers at postgres://u@h:1/d"],
  ])("explains %s without the password", (code, expected, text) => {
    const error = connectError(withCode(code), { url: "postgres://u:secret@h:1/d?sslpassword=secret" });
    expect(error.code).toBe(expected);
    expect(error.message).toContain(text);
    expect(error.message).not.toContain("secret");
  });
  it("looks into the attempts at several addresses", () => {
    const error = new AggregateError([withCode("ECONNREFUSED")]);
    expect(connectError(error, { url: "postgres://h/d" }).code).toBe("database-unavailable");
  });
});

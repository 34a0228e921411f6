import { expect, it } from "vitest";
import { loggedError } from "./logger.ts";

/** An error as pg makes it. */
function databaseError(code: string, message: string): Error {
  return Object.assign(new Error(message), {
    code,
    routine: "some_routine",
    constraint: "search_dictionary_pkey",
    detail: "Key (parameter, text)=(12, Lovelace) already exists.",
    where: "COPY search_string, line 3: Lovelace",
    internalQuery: "select 'Lovelace'",
    parameters: ["Lovelace"],
  });
}

function parseError(): unknown {
  try {
    return JSON.parse('{"family":"Lovelace" x}');
  } catch (error) {
    return error;
  }
}

it.each([
  ["a duplicate key", databaseError("23505", "duplicate key value violates unique constraint")],
  ["a value that does not fit", databaseError("22P02", 'invalid input syntax for type bigint: "Lovelace"')],
  ["text that is no JSON", parseError()],
  ["a cause", new Error("it failed", { cause: databaseError("22P02", 'invalid input: "Lovelace"') })],
  ["several errors", new AggregateError([databaseError("22P02", 'invalid input: "Lovelace"')], "all failed")],
  ["what is no error", { family: "Lovelace" }],
])("the log of %s has no values", (_name, error) => {
  expect(JSON.stringify(loggedError(error))).not.toContain("Lovelace");
});

it("the log of an error says what failed, and where", () => {
  const cause = databaseError("23505", "duplicate key value violates unique constraint");
  const logged = loggedError(new TypeError("it failed", { cause }));
  expect(logged).toMatchObject({
    type: "TypeError",
    message: "it failed",
    cause: { code: "23505", constraint: "search_dictionary_pkey", routine: "some_routine" },
  });
  expect(logged["stack"]).toContain("logger.test.ts");
});

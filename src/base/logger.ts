import { pino, type Logger } from "pino";

/** Structured JSON logs on standard error. Ids and line numbers, never the content of resources. */
export type { Logger };

/** Levels of `STOKER_LOG_LEVEL`. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Opens the process's logger; `component` names the part of the program that speaks. */
export function openLogger(level: LogLevel, component: string): Logger {
  const options = { level, base: { component }, serializers: { err: loggedError } };
  return pino(options, pino.destination({ dest: 2, sync: true }));
}

/** What of an error's own properties is logged: names of things, no values. */
const FACTS = [
  "code",
  "status",
  "statusCode",
  "severity",
  "schema",
  "table",
  "column",
  "constraint",
  "routine",
] as const;

/** Causes of causes are followed so far. */
const MAX_CAUSES = 5;

/**
 * An error as it is logged. PostgreSQL's `detail`, `where` and `hint` repeat rows, and the messages of its data exceptions
 * (class 22) and of `JSON.parse` the text that is wrong: a patient's data, that belongs in no log.
 */
export function loggedError(error: unknown): { [name: string]: unknown } {
  return logged(error, MAX_CAUSES);
}

function logged(error: unknown, depth: number): { [name: string]: unknown } {
  if (!(error instanceof Error)) return { type: typeof error };
  const facts: { [name: string]: unknown } = {};
  for (const name of FACTS) {
    const value: unknown = Reflect.get(error, name);
    if (typeof value === "string" || typeof value === "number") facts[name] = value;
  }
  const message = isSafe(error, facts["code"]) ? error.message : "(left out: it may repeat data)";
  const cause = error.cause === undefined || depth === 0 ? {} : { cause: logged(error.cause, depth - 1) };
  const all = error instanceof AggregateError && depth > 0 ? { errors: errorsOf(error, depth - 1) } : {};
  return {
    type: error.name === "error" ? "DatabaseError" : error.name,
    message,
    stack: framesOf(error),
    ...facts,
    ...cause,
    ...all,
  };
}

function errorsOf({ errors }: AggregateError, depth: number): unknown[] {
  return errors.slice(0, MAX_CAUSES).map((each: unknown) => logged(each, depth));
}

function isSafe(error: Error, code: unknown): boolean {
  return !(error instanceof SyntaxError) && !(typeof code === "string" && /^22[0-9A-Z]{3}$/.test(code));
}

/** The stack without the message at its beginning. */
function framesOf({ stack = "" }: Error): string {
  const start = stack.search(/^ {4}at /m);
  return start < 0 ? "" : stack.slice(start);
}

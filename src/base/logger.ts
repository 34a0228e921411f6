import { pino, type Logger } from "pino";

/** Structured JSON logs on standard error. Ids and line numbers, never the content of resources. */
export type { Logger };

/** Levels of `STOKER_LOG_LEVEL`. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Opens the process's logger; `component` names the part of the program that speaks. */
export function openLogger(level: LogLevel, component: string): Logger {
  return pino({ level, base: { component } }, pino.destination({ dest: 2, sync: true }));
}

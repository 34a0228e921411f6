import { StokerError } from "../base/errors.ts";
import { databaseError } from "../postgres/database-errors.ts";
import type { ExportFailure } from "./definition.ts";

/** The failure that a thrown error is. Reasons that are the server's own are hidden from clients (decision D-12). */
export function exportFailureOf(thrown: unknown): ExportFailure {
  const error = databaseError(thrown);
  if (error instanceof StokerError) return { status: error.status, code: error.code, text: error.message };
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") {
    return { status: 500, code: "database-full", text: "The disk with the export folder is full." };
  }
  return { status: 500, code: "internal", text: error instanceof Error ? error.message : String(error) };
}

/** Whether trying again is pointless. */
export function isFinal({ code }: ExportFailure): boolean {
  return code !== "database-unavailable" && code !== "internal";
}

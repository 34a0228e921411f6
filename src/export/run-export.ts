import type { Pool } from "pg";
import { threadHeapMegabytes, usableMemory } from "../base/memory.ts";
import type { SelectionRules } from "../search/type-filter.ts";
import type { DatabaseConnection } from "../postgres/connection.ts";
import { folderName, placeOf, USUAL_CONTAINER, type Destination } from "./destination.ts";
import { completeExport, recordFolder, type ClaimedExport } from "./jobs.ts";
import { openFolder } from "./output-file.ts";
import { patientsOf } from "./patients.ts";
import { openSnapshot } from "./snapshot.ts";
import { runUnits } from "./threads.ts";
import { planUnits } from "./units.ts";

/** What exports are run with. */
export interface ExportServices {
  readonly database: Pool;
  /** For the connections of the threads, which share a snapshot. */
  readonly connection: DatabaseConnection;
  readonly destination: Destination;
  /** Threads of one export. */
  readonly threads: number;
  readonly rules: SelectionRules;
}

/** Resource types have ids up to 255; the place of 0 counts files of deletions. */
const TYPE_IDS = 256;

/**
 * Runs a claimed export from its beginning to its end: into a folder of its own, from one state of the database. Throws
 * what breaks it off, the reason of `stop` among others; nothing of it is seen then. False when the job was taken
 * over or deleted meanwhile.
 */
export async function runExport(
  services: ExportServices,
  job: ClaimedExport,
  stop: AbortSignal,
  onProgress: (resources: number) => void,
): Promise<boolean> {
  const { database, connection, destination, threads, rules } = services;
  const { definition } = job;
  const container = definition.container ?? USUAL_CONTAINER;
  const name = folderName(job.id, job.fence);
  await recordFolder(database, job, placeOf(destination, container), name);
  const folder = await openFolder(destination, container, name);
  await folder.make();
  const snapshot = await openSnapshot(connection, definition.level !== "system" || definition.filters.length > 0);
  // Also ends the statement at hand; the threads have connections of their own.
  const breakOff = (): void => void snapshot.close();
  stop.addEventListener("abort", breakOff, { once: true });
  try {
    stop.throwIfAborted();
    const patients = await patientsOf(snapshot.client, definition, rules.baseUrl);
    const units = await planUnits(snapshot.client, definition, patients, threads);
    const numbers = new Int32Array(new SharedArrayBuffer(TYPE_IDS * Int32Array.BYTES_PER_ELEMENT));
    const start = {
      connection,
      snapshot: snapshot.name,
      definition,
      rules: { baseUrl: rules.baseUrl, dateEquality: rules.dateEquality },
      destination,
      container,
      folder: name,
      numbers,
    };
    const heapMegabytes = threadHeapMegabytes(usableMemory(), threads);
    const files = await runUnits(units, start, threads, heapMegabytes, stop, onProgress);
    return await completeExport(database, job, snapshot.transactionTime, files);
  } catch (error) {
    stop.throwIfAborted();
    throw error;
  } finally {
    stop.removeEventListener("abort", breakOff);
    await snapshot.close();
  }
}

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { StokerError } from "../base/errors.ts";
import { checkJobRoom } from "../jobs/job-limits.ts";
import { openSearchParameters } from "../store/search/search-parameters.ts";
import { checkContainer, placeOf } from "./destination.ts";
import { startExporter, type ExporterServices } from "./exporter.ts";
import { deleteExport, insertExport } from "./jobs.ts";
import { patientsOf } from "./patients.ts";
import { readExportRequest, type ExportRequest } from "./request.ts";
import { exportStatus, findExportFile, notFound, readId, type ExportStatus } from "./status.ts";

/** A file that this server hands out. */
export interface LocalFile {
  readonly bytes: number;
  /** Opens it, or a part of it; both ends are in it. */
  readonly read: (part?: { readonly start: number; readonly end: number }) => Readable;
}

/** `$export`, as the HTTP interface needs it. */
export interface Exports {
  /** Takes a kick-off; gives the job's id, and texts about what was left out of account. Throws what refuses it. */
  register(request: ExportRequest, requestUrl: string): Promise<{ id: string; warnings: readonly string[] }>;
  /** Throws `not-found`, and `job-failed`. */
  status(id: string): Promise<ExportStatus>;
  /** Stops and forgets an export; its files are removed. Throws `not-found`. */
  delete(id: string): Promise<void>;
  /** A file of this server, or the address of one in the storage account. Throws `not-found`. */
  file(id: string, name: string): Promise<LocalFile | { url: string }>;
  /** Ends the export at hand, which is given back. */
  close(): Promise<void>;
}

/** Opens the exports of a server: takes requests, and runs them. */
export function openExports(services: ExporterServices): Exports {
  const { database, destination, rules, limits, keptHours } = services;
  const exporter = startExporter(services);
  const searchParameters = openSearchParameters(database);
  return {
    async register(request, requestUrl) {
      const lookup = await searchParameters.current();
      const { definition, warnings } = readExportRequest({ ...request, lookup });
      checkContainer(destination, definition.container);
      await patientsOf(database, definition, rules.baseUrl);
      await checkJobRoom("export", limits);
      const id = await insertExport(database, definition, requestUrl, limits);
      exporter.notify();
      return { id, warnings };
    },
    async status(id) {
      return await exportStatus(database, id, rules.baseUrl, keptHours);
    },
    async delete(id) {
      if (!(await deleteExport(database, readId(id)))) throw notFound(id);
      exporter.notify();
    },
    async file(id, name) {
      const { folder, place, url, bytes } = await findExportFile(database, id, name);
      if (url !== null) return { url };
      if (destination.kind !== "folder") throw elsewhere();
      const path = join(destination.path, folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) throw place === placeOf(destination, "") ? notFound(id) : elsewhere();
      return { bytes, read: (part) => createReadStream(path, part) };
    },
    close: () => exporter.close(),
  };
}

function elsewhere(): StokerError {
  return new StokerError("not-found", "This file is on the server that wrote it; request it there.");
}

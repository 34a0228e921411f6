import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openLogger } from "../../src/base/logger.ts";
import { createApp } from "../../src/http/app.ts";
import type { HttpContext } from "../../src/http/protocol/context.ts";
import { startCoordinator, type Coordinator } from "../../src/import/coordinator.ts";
import { openImportSignal } from "../../src/jobs/signal.ts";
import { createSources, type SourceConfig } from "../../src/source/sources.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";

/** A server over HTTP on a database of its own, without workers: tests move the units themselves. */
export interface ImportServer {
  readonly base: string;
  /** The address without `/fhir`. */
  readonly origin: string;
  readonly database: TestDatabase;
  /** This server's own pool. */
  readonly pool: TestDatabase["pool"];
  /** How often a job was published. */
  readonly published: () => number;
  /** Writes an input below the file root and gives its URL. */
  file(name: string, content: string | Uint8Array): Promise<string>;
  /** Starts planning and finishing, if that was not done at the start. */
  coordinate(): void;
  register(body: unknown, init?: { headers?: Record<string, string>; query?: string }): Promise<Response>;
  status(id: string, query?: string): Promise<Response>;
  close(): Promise<void>;
}

/** What a server is started with. */
export interface ImportServerOptions {
  readonly facts?: Partial<Pick<HttpContext, "importEnabled" | "initialImportMode" | "importMaxInputs">>;
  /** Sources besides a file root of its own; `fileRoot: false` leaves that out. */
  readonly sources?: Omit<SourceConfig, "fileRoot"> & { fileRoot?: false };
  readonly coordinate?: boolean;
  /** A second server on the database of another one. */
  readonly database?: TestDatabase;
  readonly publish?: () => Promise<void>;
}

/** Starts a server on a free port. */
export async function openImportServer(options: ImportServerOptions = {}): Promise<ImportServer> {
  const logger = openLogger("silent", "test");
  const database = options.database ?? (await createTestDatabase());
  const pool =
    options.database === undefined
      ? database
      : await openDatabase({ connection: database.connection, applicationName: "test 2", maxConnections: 8, logger });
  const folder = await mkdtemp(join(tmpdir(), "stoker-import-"));
  const { fileRoot, ...clouds } = options.sources ?? {};
  const sources = createSources({ ...clouds, fileRoot: fileRoot === false ? undefined : folder });
  const signal = await openImportSignal(pool.pool, logger);
  let origin = "";
  let publishings = 0;
  let coordinator: Coordinator | undefined;
  const context: HttpContext = {
    version: "0.0.0-test",
    get baseUrl() {
      return `${origin}/fhir`;
    },
    importEnabled: true,
    initialImportMode: false,
    importMaxInputs: 10_000,
    dateEquality: "contain",
    stageSeconds: () => ({}),
    ...options.facts,
    database: pool,
    sources,
    signal,
    logger,
  };
  const app = createApp(context);
  await app.listen({ host: "127.0.0.1", port: 0 });
  origin = `http://127.0.0.1:${String((app.server.address() as AddressInfo).port)}`;
  const coordinate = (): void => {
    coordinator ??= startCoordinator({
      database: pool.pool,
      sources,
      signal,
      logger,
      publish: async () => {
        publishings += 1;
        await options.publish?.();
      },
    });
  };
  if (options.coordinate !== false) coordinate();
  return {
    base: `${origin}/fhir`,
    origin,
    database,
    pool: pool.pool,
    published: () => publishings,
    coordinate,
    async file(name, content) {
      const path = join(folder, name);
      await writeFile(path, content);
      return pathToFileURL(path).href;
    },
    async register(body, init = {}) {
      return await fetch(`${origin}/fhir/$import${init.query ?? ""}`, {
        method: "POST",
        headers: { prefer: "respond-async", "content-type": "application/fhir+json", ...init.headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    },
    async status(id, query = "") {
      return await fetch(`${origin}/fhir/_operations/import/${id}${query}`);
    },
    async close() {
      await coordinator?.close();
      await app.close();
      await signal.close();
      if (options.database === undefined) await database.drop();
      else await pool.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A parameter of a registration. */
export type BodyParameter = Record<string, unknown>;

/** An `input` parameter. */
export function input(url: string | undefined, more: { type?: string; etag?: string } = {}): BodyParameter {
  const part: BodyParameter[] = [];
  if (more.type !== undefined) part.push({ name: "type", valueString: more.type });
  if (url !== undefined) part.push({ name: "url", valueUri: url });
  if (more.etag !== undefined) part.push({ name: "etag", valueUri: more.etag });
  return { name: "input", part };
}

/** A registration with these inputs and further parameters. */
export function registration(inputs: readonly BodyParameter[], more: readonly BodyParameter[] = []): BodyParameter {
  return {
    resourceType: "Parameters",
    parameter: [{ name: "inputFormat", valueString: "application/fhir+ndjson" }, ...more, ...inputs],
  };
}

/** The job id in the answer to a registration. */
export function idOf(response: Response): string {
  return /\/_operations\/import\/(\d+)$/.exec(response.headers.get("content-location") ?? "")?.[1] ?? "";
}

/** Asks until `until` holds for an answer; throws after some seconds. */
export async function waitFor<Answer>(ask: () => Promise<Answer>, until: (answer: Answer) => boolean): Promise<Answer> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await ask();
    if (until(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("what was waited for did not come");
}

/** What a simulated worker says of a unit. */
export interface UnitOutcome {
  readonly lines?: number;
  readonly loaded?: number;
  readonly created?: number;
  readonly rejected?: readonly RejectedRow[];
}

/** A rejected line as a worker stores it; `line` counts from the unit's first line. */
interface RejectedRow {
  readonly byteOffset: number;
  readonly line: number;
  readonly length: number;
  readonly code?: string;
  readonly message?: string;
  readonly expression?: string;
}

/** Units of a job in file order. */
export async function unitsOf(
  server: ImportServer,
  job: string,
): Promise<readonly { id: string; input: number; start: number; end: number; state: number; fence: string }[]> {
  const { rows } = await server.database.pool.query<{
    id: string;
    input: number;
    start: number;
    end: number;
    state: number;
    fence: string;
  }>(
    `select id::text as id, input, start_offset::float8 as start, end_offset::float8 as "end", state, fence::text as fence
     from import_unit where job = $1 order by input, start_offset`,
    [job],
  );
  return rows;
}

/** Completes a unit as a worker does. */
export async function completeUnit(server: ImportServer, unit: string, outcome: UnitOutcome): Promise<void> {
  const rejected = outcome.rejected ?? [];
  for (const row of rejected) {
    await server.database.pool.query(
      `insert into import_rejected_line (unit, byte_offset, line, length, code, message, expression)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        unit,
        row.byteOffset,
        row.line,
        row.length,
        row.code ?? "invalid",
        row.message ?? "no good",
        row.expression ?? null,
      ],
    );
  }
  await server.database.pool.query(
    `update import_unit set state = 2, position = end_offset, lines = $2, loaded = $3, created = $4, rejected = $5
     where id = $1`,
    [unit, outcome.lines ?? 0, outcome.loaded ?? 0, outcome.created ?? 0, rejected.length],
  );
}

/** Waits for a job's units, which the planner makes. */
export async function plannedUnits(server: ImportServer, job: string): ReturnType<typeof unitsOf> {
  return await waitFor(
    () => unitsOf(server, job),
    (units) => units.length > 0,
  );
}

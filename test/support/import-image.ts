import { expect } from "vitest";
import { databaseUrl } from "../../src/bench/databases.ts";
import type { DatabaseConnection } from "../../src/postgres/connection.ts";
import { createTestDatabase } from "../../src/postgres/testing/test-database.ts";
import { fingerprints, loosePieces, type Fingerprints } from "./fingerprints.ts";
import type { HistoryFiles } from "./history-files.ts";
import { ended, startImport, type Answer, type ImportPath, type StokerRun, type Workplace } from "./stoker-run.ts";

/** All that an import leaves behind, without times and places: the same of a disturbed import and an undisturbed one. */
export interface ImportImage {
  readonly counts: Readonly<Record<string, number>>;
  readonly prints: Fingerprints;
  /** Error log and rejected lines of each input that has any, by input and kind. */
  readonly logs: Readonly<Record<string, string>>;
  /** What some searches find, in their order. */
  readonly answers: Readonly<Record<string, string>>;
}

/** What fits together, as `loosePieces` says it. */
export const NOTHING_LOOSE = { rows: 0, heads: 0, bodies: 0, stale: 0, unpublished: 0 } as const;

const COUNTS = ["loaded", "rejected", "created", "updated", "unchanged", "deleted", "bytes"] as const;

/** One for each kind of index. */
const SEARCHES = [
  "Patient?name=family5",
  "Patient?name:exact=Zo%C3%AB",
  "Patient?birthdate=ge1950-01-01&gender=female",
  "Patient?birthdate=lt1920-01-01&_sort=birthdate",
  "Observation?code=http://loinc.org|c-7",
  "Observation?code:text=code%201",
  "Observation?date=2013",
  "Observation?value-quantity=gt100",
  "Observation?subject:Patient.name=family8",
  "Patient?_has:Observation:subject:status=final",
  "Basic?_id=big-0-3",
];

/** Imports the files on a database of their own and takes the image. The counts must be those that the files have. */
export async function undisturbedImage(place: Workplace, input: HistoryFiles, unitBytes: number): Promise<ImportImage> {
  const database = await createTestDatabase();
  try {
    const server = await place.serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
    const path = await startImport(server, input.paths, { unitBytes });
    const image = await takeImage(server, path, database.connection);
    expect(image.counts).toMatchObject({
      loaded: input.loaded,
      rejected: input.rejected,
      created: input.created,
      bytes: input.bytes,
    });
    await server.end("SIGTERM");
    return image;
  } finally {
    await database.drop();
  }
}

/** Waits for the end of an import, which must be status 200, and takes its image. `read` gets the text of a log. */
export async function takeImage(
  server: StokerRun,
  path: ImportPath,
  connection: DatabaseConnection,
  read: (url: string) => Promise<string> = fetchText,
): Promise<ImportImage> {
  const { status, body } = await ended(server, path);
  if (status !== 200)
    throw new Error(`the import ended with ${String(status)}: ${JSON.stringify(body)} ${server.said()}`);
  const stoker = body.stoker;
  const counts = Object.fromEntries(COUNTS.map((name) => [name, stoker?.[name] ?? -1]));
  const logs = await readLogs(body.error ?? [], read);
  const answers: Record<string, string> = {};
  for (const query of SEARCHES) answers[query] = await found(server, query);
  expect(await loosePieces(connection)).toEqual(NOTHING_LOOSE);
  return { counts, prints: await fingerprints(connection), logs, answers };
}

async function fetchText(url: string): Promise<string> {
  return await (await fetch(url)).text();
}

async function readLogs(
  errors: NonNullable<Answer["body"]["error"]>,
  read: (url: string) => Promise<string>,
): Promise<Record<string, string>> {
  const logs: Record<string, string> = {};
  for (const { count, inputUrl, url, rejectedUrl = "" } of errors) {
    const name = new URL(inputUrl).pathname.split("/").at(-1) ?? "";
    const text = await read(url);
    const lines = text.trimEnd().split("\n");
    expect([name, lines.length, new Set(lines).size]).toEqual([name, count, count]);
    logs[`${name}, errors`] = text;
    logs[`${name}, rejected`] = await read(rejectedUrl);
  }
  return logs;
}

async function found(server: StokerRun, query: string): Promise<string> {
  interface Page {
    readonly total?: number;
    readonly entry?: readonly { readonly resource: { readonly resourceType: string; readonly id: string } }[];
    readonly link: readonly { readonly relation: string; readonly url: string }[];
  }
  let next: string | undefined = `${server.base}/${query}&_count=1000&_total=accurate`;
  const ids: string[] = [];
  let total = -1;
  while (next !== undefined) {
    const response = await fetch(next);
    if (response.status !== 200) throw new Error(`${query} answered ${String(response.status)}`);
    const page = (await response.json()) as Page;
    total = page.total ?? total;
    for (const { resource } of page.entry ?? []) ids.push(`${resource.resourceType}/${resource.id}`);
    next = page.link.find(({ relation }) => relation === "next")?.url;
  }
  return `${String(total)}: ${ids.join(" ")}`;
}

import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";
import { databaseUrl } from "../../src/bench/databases.ts";
import { HISTORY_UNIT_BYTES, writeHistoryFiles, type HistoryFiles } from "./history-files.ts";
import { undisturbedImage, type ImportImage } from "./import-image.ts";
import { KILLS, smallFilesFor } from "./kills.ts";
import { openWorkplace, type Workplace } from "./stoker-run.ts";

/** An import that is going to be disturbed {@link KILLS} times, and what it must end with all the same. */
export interface DisturbedImport {
  readonly place: Workplace;
  readonly input: HistoryFiles;
  readonly undisturbed: ImportImage;
}

/** `perKill`: units that may begin between two kills; `big`: files of several units. */
export async function prepareImport(perKill: number, big = 2): Promise<DisturbedImport> {
  const place = await openWorkplace();
  try {
    const input = await writeHistoryFiles(place.files, { small: smallFilesFor(KILLS, perKill), big });
    return { place, input, undisturbed: await undisturbedImage(place, input, HISTORY_UNIT_BYTES) };
  } catch (error) {
    await place.close();
    throw error;
  }
}

/** A {@link DisturbedImport} with an empty database for it. */
export interface DisturbedDatabaseImport extends DisturbedImport {
  readonly database: TestDatabase;
  /** Of servers and workers that are to use the database. */
  readonly settings: { readonly STOKER_DATABASE_URL: string };
  close(): Promise<void>;
}

/** As {@link prepareImport}, with a database. */
export async function prepareDatabaseImport(perKill: number, big?: number): Promise<DisturbedDatabaseImport> {
  const prepared = await prepareImport(perKill, big);
  const database = await createTestDatabase();
  return {
    ...prepared,
    database,
    settings: { STOKER_DATABASE_URL: databaseUrl(database.connection) },
    async close() {
      await prepared.place.close();
      await database.drop();
    },
  };
}

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { migrate, readMigrations } from "./migrate.ts";
import { schemaText } from "./testing/schema-text.ts";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "./testing/test-database.ts";

describe("migrate with the program's own migrations", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it("has run all of them and has nothing more to do", async () => {
    const { rows } = await database.pool.query("select number, name, checksum from schema_migration order by number");
    const migrations = await readMigrations();
    expect(rows).toEqual(migrations.map(({ number, name, checksum }) => ({ number, name, checksum })));
    await expect(migrate(database)).resolves.toEqual([]);
  });

  it("makes the schema of generated/schema.txt (UPDATE_DOCS=1 writes it)", async () => {
    const file = new URL("../../generated/schema.txt", import.meta.url);
    const schema = await schemaText(database.pool);
    if (process.env["UPDATE_DOCS"] === "1") await writeFile(file, schema);
    expect(await readFile(file, "utf8")).toBe(schema);
  });
});

describe("migrate", () => {
  let database: TestDatabase;
  let folder: string;
  beforeEach(async () => {
    database = await createEmptyDatabase();
    folder = await mkdtemp(join(tmpdir(), "stoker-migrate-"));
    await writeFile(join(folder, "0001-first.sql"), "create table first (a integer); insert into first values (1);");
    await writeFile(join(folder, "0002-second.sql"), "alter table first add b text;");
  });
  afterEach(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  it("runs each once, also when several servers start at the same time", async () => {
    const ran = await Promise.all([1, 2, 3, 4].map(() => migrate(database, folder)));
    expect(ran.flat().toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect((await database.pool.query("select a, b from first")).rows).toEqual([{ a: 1, b: null }]);
  });

  it("runs only what is new", async () => {
    await rm(join(folder, "0002-second.sql"));
    await expect(migrate(database, folder)).resolves.toEqual([1]);
    await writeFile(join(folder, "0002-second.sql"), "alter table first add c text;");
    await expect(migrate(database, folder)).resolves.toEqual([2]);
  });

  it("leaves nothing of a migration that fails, and keeps those before it", async () => {
    await writeFile(join(folder, "0003-third.sql"), "create table third (a integer); select 1 / 0;");
    await expect(migrate(database, folder)).rejects.toMatchObject({
      code: "internal",
      message: "Migration 3 (third) failed: division by zero",
    });
    const { rows } = await database.pool.query(
      "select to_regclass('first') is not null as first, to_regclass('third') as third",
    );
    expect(rows).toEqual([{ first: true, third: null }]);
    await writeFile(join(folder, "0003-third.sql"), "create table third (a integer)");
    await expect(migrate(database, folder)).resolves.toEqual([3]);
  });

  it("refuses a database that is ahead of the program", async () => {
    await migrate(database, folder);
    await rm(join(folder, "0002-second.sql"));
    await expect(migrate(database, folder)).rejects.toMatchObject({
      code: "setting",
      message: expect.stringContaining("migration 2 (second), which is newer than this program") as string,
    });
  });

  it("refuses a migration that was changed after it had run", async () => {
    await migrate(database, folder);
    await writeFile(join(folder, "0001-first.sql"), "create table first (a bigint)");
    await expect(migrate(database, folder)).rejects.toMatchObject({
      code: "setting",
      message: expect.stringContaining("migration 1 (first) was changed") as string,
    });
  });

  it("does not mind other line ends", async () => {
    await writeFile(join(folder, "0001-first.sql"), "create table first (a integer);\ninsert into first values (1);");
    await migrate(database, folder);
    await writeFile(join(folder, "0001-first.sql"), "create table first (a integer);\r\ninsert into first values (1);");
    await expect(migrate(database, folder)).resolves.toEqual([]);
  });

  it.each([
    ["0004-gap.sql", "migration 0004-gap.sql should have number 3"],
    ["0002-twice.sql", "migration 0002-twice.sql should have number 3"],
    ["3-short.sql", "3-short.sql is not named NNNN-name.sql"],
  ])("refuses a folder with %s", async (file, message) => {
    await writeFile(join(folder, file), "select 1");
    await expect(migrate(database, folder)).rejects.toThrow(message);
  });
});

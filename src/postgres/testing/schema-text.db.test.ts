import { afterAll, beforeAll, expect, it } from "vitest";
import { schemaText } from "./schema-text.ts";
import { createTestDatabase, type TestDatabase } from "./test-database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());

it("tells of columns, constraints, indexes, functions and triggers", async () => {
  const before = await schemaText(database.pool);
  const changes = [
    "alter table body_block add note text",
    "alter table body_block add constraint has_note check (note <> '')",
    "create index block_note on body_block (note)",
    "create function noted() returns trigger language plpgsql as 'begin return new; end'",
    "create trigger noted before insert on body_block for each row execute function noted()",
    "alter table body_block alter note set default 'x'",
    "alter table body_block alter note set statistics 500",
    "create sequence notes",
  ];
  const client = await database.pool.connect();
  try {
    await client.query("begin");
    let last = before;
    for (const change of changes) {
      await client.query(change);
      const changed = await schemaText(client);
      expect(changed, change).not.toBe(last);
      last = changed;
    }
  } finally {
    await client.query("rollback");
    client.release();
  }
  expect(await schemaText(database.pool)).toBe(before);
});

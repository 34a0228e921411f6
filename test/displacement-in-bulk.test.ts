import { afterAll, beforeAll, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "../src/http/testing/write-server.ts";
import { openBatchImport } from "../src/import/testing/batch-import.ts";
import { openHashKey } from "../src/store/identity/hash-key.ts";
import { publishSearchRows } from "../src/store/segments/publish.ts";

/** With 9 bits of the hash in a key, more than half of the patients share one with another. */
const KEY_BITS = 9;
const PATIENTS = 300;

let server: WriteServer;
beforeAll(async () => {
  server = await openWriteServer();
  const { pool } = server.database;
  await pool.query("update hash_key set key_bits = $1", [KEY_BITS]);
  await openHashKey(pool);
});
afterAll(() => server.close());

const numbers = Array.from({ length: PATIENTS }, (_, number) => number);

function observation(name: string, number: number): string {
  return JSON.stringify({
    resourceType: "Observation",
    id: `${name}-${number}`,
    status: "final",
    code: { text: "x" },
    subject: { reference: `Patient/p${number}` },
  });
}

function patient(number: number): string {
  return JSON.stringify({ resourceType: "Patient", id: `p${number}`, name: [{ family: `Family${number}` }] });
}

/** What is asked of some patients, and how many are asked for all together. */
async function check(names: readonly string[]): Promise<void> {
  for (let number = 0; number < PATIENTS; number += 13) {
    const expected = names.map((name) => `${name}-${number}`).toSorted();
    expect(await server.ids(`/Observation?subject=Patient/p${number}`)).toEqual(expected);
    expect(await server.ids(`/Observation?subject:Patient.family:exact=Family${number}`)).toEqual(expected);
    expect(await server.ids(`/Patient?_has:Observation:subject:_id=${names[0]}-${number}`)).toEqual([`p${number}`]);
    expect(await server.ids(`/Patient?_id=p${number}`)).toEqual([`p${number}`]);
  }
}

it("ids that share keys are displaced while a large import loads: in segments with indexes, without them, and when these are made", async () => {
  const load = await openBatchImport(server.database, { live: false });
  const small = await openBatchImport(server.database);
  try {
    await small.commit(numbers.map((number) => observation("indexed", number)));
    await load.commit(numbers.map((number) => observation("before", number)));
    const states = "select count(*)::int as loading from segment where state = 0";
    const { rows } = await server.database.pool.query<{ loading: number }>(states);
    expect(rows[0]?.loading).toBe(1);
    // Of one batch, and of batches one after another.
    await load.commit(numbers.slice(0, 100).map(patient));
    await load.commit(numbers.slice(100).map(patient));
    await load.commit(numbers.map((number) => observation("after", number)));
    const { rowCount } = await server.database.pool.query("select from displaced_id");
    expect(rowCount).toBeGreaterThan(PATIENTS / 5);
    expect(await load.counts()).toMatchObject({ loaded: PATIENTS * 3, created: PATIENTS * 3, rejected: 0 });
    await check(["indexed", "before", "after"]);
    await publishSearchRows(server.database.pool);
    const { rows: after } = await server.database.pool.query<{ loading: number }>(states);
    expect(after[0]?.loading).toBe(0);
    await check(["indexed", "before", "after"]);
    const { rowCount: stale } = await server.database.pool.query("select from stale_row");
    expect(stale).toBe(0);
  } finally {
    load.close();
    small.close();
  }
});

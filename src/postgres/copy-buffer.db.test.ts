import fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientConfig } from "./connection.ts";
import { CopyBuffer } from "./copy-buffer.ts";
import { copyRows } from "./copy.ts";
import { createTestDatabase, type TestDatabase } from "./testing/test-database.ts";

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client(clientConfig(database.connection, { applicationName: "test" }));
  await client.connect();
  await client.query(
    "create table value (n int, i2 smallint, i4 integer, i8 bigint, b boolean, t text, y bytea, d numeric)",
  );
});

afterAll(async () => {
  await client?.end();
  await database?.drop();
});

async function store(write: (rows: CopyBuffer, n: number) => void, column: string): Promise<unknown> {
  const rows = new CopyBuffer(16);
  rows.row(2);
  rows.int32(1);
  write(rows, 1);
  await client.query("truncate value");
  await copyRows(client, "value", ["n", column], rows);
  const found = await client.query<{ value: unknown }>(`select ${column} as value from value`);
  return found.rows[0]?.value;
}

describe("copyRows", () => {
  it("stores what was written, for every kind of value", async () => {
    expect(await store((rows) => rows.int16(-7), "i2")).toBe(-7);
    expect(await store((rows) => rows.int32(-2147483648), "i4")).toBe(-2147483648);
    expect(await store((rows) => rows.integer(-1), "i8")).toBe(-1n);
    expect(await store((rows) => rows.integer(1622505600123), "i8")).toBe(1622505600123n);
    expect(await store((rows) => rows.int64(0x12345678, -1), "i8")).toBe(0x12345678ffffffffn);
    expect(await store((rows) => rows.bigint(-(2n ** 63n)), "i8")).toBe(-(2n ** 63n));
    expect(await store((rows) => rows.boolean(true), "b")).toBe(true);
    expect(await store((rows) => rows.null(), "t")).toBeNull();
    expect(await store((rows) => rows.text("Noël 🔥\t\\"), "t")).toBe("Noël 🔥\t\\");
    expect(await store((rows) => rows.bytea(Buffer.from([0, 255, 10])), "y")).toEqual(Buffer.from([0, 255, 10]));
  });

  it.each([
    ["0", "0"],
    ["-0.0", "0"],
    ["1", "1"],
    ["10000", "10000"],
    ["1.10", "1.10"],
    ["-176.35499866729558", "-176.35499866729558"],
    ["0.00012", "0.00012"],
    ["12345678901234567890.123", "12345678901234567890.123"],
    ["1e30", "1000000000000000000000000000000"],
    ["1E-7", "0.0000001"],
    ["4.5e+3", "4500"],
    ["1e200000", "Infinity"],
    ["-1e200000", "-Infinity"],
    ["1e-200000", "0"],
    ["Infinity", "Infinity"],
    ["-Infinity", "-Infinity"],
  ])("stores the decimal %s as numeric %s", async (text, expected) => {
    expect(await store((rows) => rows.numeric(text), "d")).toBe(expected);
  });

  it("stores any decimal as PostgreSQL itself reads it", async () => {
    const decimal = fc
      .tuple(
        fc.constantFrom("", "-"),
        fc.bigInt({ min: 0n, max: 10n ** 25n }),
        fc.nat(20),
        fc.integer({ min: -30, max: 30 }),
      )
      .map(([sign, digits, fraction, exponent]) => `${sign}${digits}.${"3".repeat(fraction)}0e${exponent}`);
    await fc.assert(
      fc.asyncProperty(fc.array(decimal, { minLength: 1, maxLength: 50 }), async (decimals) => {
        const rows = new CopyBuffer(16);
        for (const [n, text] of decimals.entries()) {
          rows.row(2);
          rows.int32(n);
          rows.numeric(text);
        }
        await client.query("truncate value");
        await copyRows(client, "value", ["n", "d"], rows);
        const different = await client.query(
          "select n, d, given from value join unnest($1::text[]) with ordinality as u (given, place) on place = n + 1 where d <> given::numeric",
          [decimals],
        );
        expect(different.rows).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it("copies only the given ranges", async () => {
    const rows = new CopyBuffer(16);
    const ends: number[] = [];
    for (let n = 0; n < 4; n++) {
      rows.row(2);
      rows.int32(n);
      rows.text(`row ${n}`);
      ends.push(rows.length);
    }
    await client.query("truncate value");
    await copyRows(client, "value", ["n", "t"], rows, [0, ends[0] ?? 0, ends[1] ?? 0, ends[2] ?? 0]);
    const found = await client.query<{ n: number }>("select n from value order by n");
    expect(found.rows.map(({ n }) => n)).toEqual([0, 2]);
  });

  it("rejects with the server's error and leaves the connection usable", async () => {
    const rows = new CopyBuffer(16);
    rows.row(2);
    rows.int32(1);
    rows.int64(1, 1);
    await expect(copyRows(client, "value", ["n", "i4"], rows)).rejects.toMatchObject({ code: "22P03" });
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });
});

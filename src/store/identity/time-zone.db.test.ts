import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { installedTimeZone, installTimeZone, UTC } from "../../base/time-zone.ts";
import { createUnopenedStore, type TestDatabase } from "../../postgres/testing/test-database.ts";
import { openStoreTimeZone } from "./time-zone.ts";

let database: TestDatabase;

beforeEach(async () => {
  database = await createUnopenedStore();
});

afterEach(() => database.drop());
afterAll(() => installTimeZone(UTC));

describe("the time zone of a store (D-29)", () => {
  it("is recorded when the store is made, and used without the setting from then on", async () => {
    expect(await openStoreTimeZone(database.pool, "europe/berlin")).toBe("Europe/Berlin");
    installTimeZone(UTC);
    expect(await openStoreTimeZone(database.pool)).toBe("Europe/Berlin");
    expect(installedTimeZone()?.name).toBe("Europe/Berlin");
    expect(await openStoreTimeZone(database.pool, "Europe/Berlin")).toBe("Europe/Berlin");
  });

  it("is UTC unless another is wanted when the store is made", async () => {
    expect(await openStoreTimeZone(database.pool)).toBe("UTC");
    expect(await openStoreTimeZone(database.pool, "Etc/UTC")).toBe("UTC");
    expect(installedTimeZone()).toBeUndefined();
  });

  it("cannot be changed: that is refused in one line", async () => {
    await openStoreTimeZone(database.pool);
    const refusal = await openStoreTimeZone(database.pool, "Asia/Tokyo").catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "setting",
      message: expect.stringMatching(/^STOKER_TIME_ZONE: .*UTC.* leave the setting out, .*Asia\/Tokyo\.$/),
    });
    expect(await openStoreTimeZone(database.pool)).toBe("UTC");
  });

  it("is one for all servers that start at the same time", async () => {
    const wanted = ["Asia/Tokyo", "Europe/Berlin", undefined];
    const opened = await Promise.allSettled(wanted.map((name) => openStoreTimeZone(database.pool, name)));
    const names = opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(1);
  });
});

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { linkOf, matchesOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";
import { windowBeside } from "./windows.ts";

const RESOURCES = 2400;

/** What is frequent by its code, its value and its date, in all proportions. */
function observation(index: number): JsonObject {
  return {
    resourceType: "Observation",
    id: `o-${index}`,
    code: { coding: [{ code: index % 3 === 0 ? "third" : "other" }, ...(index % 50 === 0 ? [{ code: "rare" }] : [])] },
    subject: { reference: `Patient/p-${index % 4}` },
    effectiveDateTime: `20${10 + (index % 10)}-01-01`,
    valueQuantity: { value: index % 100, code: "g", system: "http://unitsofmeasure.org" },
  };
}

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(...Array.from({ length: RESOURCES }, (_, index) => observation(index)));
  // As many of another type share the parameters.
  await server.loadLive(
    ...Array.from({ length: 300 }, (_, index) => ({
      resourceType: "Condition",
      id: `c-${index}`,
      code: { coding: [{ code: "third" }] },
      subject: { reference: "Patient/p-1" },
    })),
  );
  for (let index = 0; index < 4; index++) await server.loadLive({ resourceType: "Patient", id: `p-${index}` });
  await server.database.pool.query("analyze");
});
afterAll(() => server.close());

async function pages(query: string): Promise<string[]> {
  const ids: string[] = [];
  for (let path: string | undefined = query; path !== undefined;) {
    const { status, body } = await server.get(path);
    expect(status).toBe(200);
    ids.push(...matchesOf(body).map((resource) => resource["id"] as string));
    path = linkOf(body, "next");
  }
  return ids;
}

/** The same, from the last page to the first. */
async function pagesBackwards(query: string): Promise<string[]> {
  const ids: string[] = [];
  const { body: first } = await server.get(query);
  let path = linkOf(first, "last");
  if (path === undefined) return matchesOf(first).map((resource) => resource["id"] as string);
  for (let pages = 0; path !== undefined; pages++) {
    const { status, body } = await server.get(path);
    expect(status).toBe(200);
    ids.unshift(...matchesOf(body).map((resource) => resource["id"] as string));
    expect(linkOf(body, "next") === undefined).toBe(pages === 0);
    expect(linkOf(body, "first")).toBe(linkOf(first, "self"));
    path = linkOf(body, "previous");
  }
  return ids;
}

describe("pages of many matches, in key order", () => {
  it.each<[string, (index: number) => boolean]>([
    ["code=third", (index) => index % 3 === 0],
    ["code=other,rare", (index) => index % 3 !== 0 || index % 50 === 0],
    ["code=rare", (index) => index % 50 === 0],
    ["code:not=third", (index) => index % 3 !== 0],
    ["code=other&value-quantity=lt50", (index) => index % 3 !== 0 && index % 100 < 50],
    ["code=other&value-quantity=gt1000", () => false],
    ["code=other&value-quantity=lt50||g", (index) => index % 3 !== 0 && index % 100 < 50],
    ["code=other,third&value-quantity=gt97||g", (index) => index % 100 > 97],
    ["code=rare&value-quantity=ge0||g", (index) => index % 50 === 0],
    ["code-value-quantity=third$lt0.05||kg", (index) => index % 3 === 0 && index % 100 < 50],
    ["code=other&value-quantity=gt1000||g", () => false],
    ["date=2013", (index) => index % 10 === 3],
    ["date=ge2012&code=third", (index) => index % 3 === 0 && index % 10 >= 2],
    ["patient=p-1", (index) => index % 4 === 1],
    ["patient:Patient._id=p-1,p-2", (index) => index % 4 === 1 || index % 4 === 2],
    ["_id=o-1,o-2,o-3&code=other", (index) => index === 1 || index === 2],
  ])("%s", async (query, test) => {
    const found = Array.from({ length: RESOURCES }, (_, index) => index).flatMap((index) =>
      test(index) ? [`o-${index}`] : [],
    );
    const whole = await pages(`/Observation?_count=1000&${query}`);
    expect(whole.toSorted()).toEqual(found.toSorted());
    expect(await pages(`/Observation?_count=41&${query}`)).toEqual(whole);
    expect(await pagesBackwards(`/Observation?_count=61&${query}`)).toEqual(whole);
    const { body } = await server.get(`/Observation?_count=3&_total=accurate&${query}`);
    expect(body["total"]).toBe(found.length);
    expect(matchesOf(body).map((resource) => resource["id"])).toEqual(whole.slice(0, 3));
  });
});

describe("pages in other orders of the store", () => {
  it.each([
    "/Observation?_count=400",
    "?_type=Condition,Patient&_count=70",
    "/Observation?_sort=_lastUpdated&_count=400&code=third",
    "/Observation?_sort=-_lastUpdated&_count=400",
    "/Observation?subject:Patient._id=p-3&_sort=-_lastUpdated&_count=80",
  ])("%s is the same backwards", async (query) => {
    expect(await pagesBackwards(query)).toEqual(await pages(query));
  });
});

describe("windowBeside", () => {
  it("cuts a range into windows that leave nothing out and overlap nowhere", () => {
    const low = fc.bigInt(-(1n << 62n), 1n << 61n);
    fc.assert(
      fc.property(
        low,
        fc.bigInt(0n, 1n << 61n),
        fc.array(fc.double({ min: 1e-9, max: 1, noNaN: true }), { minLength: 1 }),
        fc.boolean(),
        (from, width, shares, backwards) => {
          const whole = { low: from, high: from + width };
          let last: { key: bigint } | undefined;
          for (const share of shares) {
            const window = windowBeside({ from: last, backwards }, whole, share);
            if (window === undefined) return;
            const [near, far] = backwards ? [window.high, window.low] : [window.low, window.high];
            const start = backwards ? whole.high : whole.low;
            expect(near).toBe(last === undefined ? start : last.key + (backwards ? -1n : 1n));
            expect(window.high).toBeGreaterThanOrEqual(window.low);
            expect(far).not.toBe(backwards ? whole.low : whole.high);
            expect(whole.low <= window.low && window.high <= whole.high).toBe(true);
            last = { key: far };
          }
        },
      ),
    );
  });
});

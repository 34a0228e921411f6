import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import type { TestVersion } from "../store/testing/load-resources.ts";
import { linkOf, matchesOf, openSearchServer, type SearchServer } from "./testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
});
afterAll(() => server.close());

/** What happens between two pages: these patients are written again, as live or deleted versions. */
interface Write {
  ids: number[];
  deleted: boolean;
  /** False: into a segment that is still loading, where old rows are only listed as stale. */
  live: boolean;
}

const writes: fc.Arbitrary<Write> = fc.record({
  ids: fc.uniqueArray(fc.nat(40), { maxLength: 6 }),
  deleted: fc.boolean(),
  live: fc.boolean(),
});

function relations({ body }: { body: JsonObject }): unknown {
  return (body["link"] as JsonObject[]).map(({ relation }) => relation);
}

describe("paging while resources are written", () => {
  it("repeats nothing and skips nothing that was there all the time", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(writes, { maxLength: 8 }),
        fc.boolean(),
        async (stored, count, between, isLive) => {
          const tag = `round-${round++}`;
          await write(stored, tag, { deleted: false, live: isLive }, 1);
          const untouched = new Set(stored.map((id) => `${tag}-${id}`));
          const seen: string[] = [];
          const pending = [...between];
          let path: string | undefined = `/Patient?_tag=${tag}&_count=${count}`;
          for (let page = 2; path !== undefined; page++) {
            const { body } = await server.get(path);
            seen.push(...matchesOf(body).map((resource) => resource["id"] as string));
            path = linkOf(body, "next");
            const next = pending.shift();
            if (next === undefined) continue;
            await write(next.ids, tag, next, page);
            if (next.deleted) for (const id of next.ids) untouched.delete(`${tag}-${id}`);
          }
          expect(seen).toHaveLength(new Set(seen).size);
          expect(seen).toEqual(expect.arrayContaining([...untouched]));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("finds the current version of what is written twice to a segment that is loading, by its own values", async () => {
    const patient = { ids: [1], tag: "twice" };
    for (const version of [1, 2]) await write(patient.ids, patient.tag, { deleted: false, live: false }, version);
    expect(await server.ids("/Patient?_tag=twice&birthdate=1902")).toEqual(["twice-1"]);
    expect(await server.ids("/Patient?_tag=twice&birthdate=1901")).toEqual([]);
    expect((await server.get("/Patient?_tag=twice&_total=accurate")).body["total"]).toBe(1);
    await write(patient.ids, patient.tag, { deleted: true, live: false }, 3);
    expect(await server.ids("/Patient?_tag=twice")).toEqual([]);
  });

  it("has a next link only when there is more", async () => {
    await write([1, 2, 3, 4], "even", { deleted: false, live: true }, 1);
    const first = await server.get("/Patient?_tag=even&_count=2");
    const second = await server.get(linkOf(first.body, "next") ?? "");
    expect(matchesOf(second.body)).toHaveLength(2);
    expect(linkOf(second.body, "next")).toBeUndefined();
    expect(linkOf(second.body, "self")).toContain("_cursor=");
  });

  it("has links to the other pages, in the Bundle and in a header", async () => {
    await write([1, 2, 3, 4, 5], "linked", { deleted: false, live: true }, 1);
    const first = await server.get("/Patient?_tag=linked&_count=2");
    expect(relations(first)).toEqual(["self", "first", "next", "last"]);
    const second = await server.get(linkOf(first.body, "next") ?? "");
    expect(relations(second)).toEqual(["self", "first", "previous", "next", "last"]);
    const links = second.body["link"] as JsonObject[];
    expect(second.headers["link"]).toBe(
      links.map(({ relation, url }) => `<${url as string}>; rel="${relation as string}"`).join(", "),
    );
    const back = await server.get(linkOf(second.body, "previous") ?? "");
    expect(matchesOf(back.body)).toEqual(matchesOf(first.body));
    const third = await server.get(linkOf(second.body, "next") ?? "");
    expect(relations(third)).toEqual(["self", "first", "previous", "last"]);
    // In orders that the store does not keep, only the first page is cheap.
    const sorted = await server.get("/Patient?_tag=linked&_count=2&_sort=birthdate");
    expect(relations(sorted)).toEqual(["self", "first", "next"]);
    const all = await server.get("/Patient?_tag=linked");
    expect(relations(all)).toEqual(["self"]);
    expect(all.headers).not.toHaveProperty("link");
  });

  it("leaves the header out when it would be too long for one", async () => {
    const ids = Array.from({ length: 500 }, (_, index) => `linked-${index}`).join();
    const { body, headers } = await server.get(`/Patient?_id=${ids}&_count=2`);
    expect(linkOf(body, "next")).toBeDefined();
    expect(headers).not.toHaveProperty("link");
  });

  it("cuts a page of large resources short instead of holding them all", async () => {
    const resources = [1, 2, 3].map((number) => ({
      resourceType: "Binary",
      id: `large-${number}`,
      contentType: "application/octet-stream",
      data: "A".repeat(14 * 1024 * 1024),
    }));
    for (const resource of resources) await server.loadLive(resource);
    const first = await server.get("/Binary");
    expect(matchesOf(first.body)).toHaveLength(2);
    const second = await server.get(linkOf(first.body, "next") ?? "");
    expect(matchesOf(second.body)).toHaveLength(1);
  });
});

function write(
  ids: readonly number[],
  tag: string,
  { deleted, live }: Pick<Write, "deleted" | "live">,
  versionId: number,
): Promise<void> {
  const versions: TestVersion[] = ids.map((id) => ({
    resource: {
      resourceType: "Patient",
      id: `${tag}-${id}`,
      meta: { tag: [{ code: tag }] },
      birthDate: `${1900 + versionId}`,
    },
    versionId,
    lastUpdated: Date.UTC(2024, 0, 1) + versionId,
    deleted,
  }));
  return server.load(versions, live);
}

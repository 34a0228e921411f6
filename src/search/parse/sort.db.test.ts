import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { linkOf, matchesOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    observation("a", { effectiveDateTime: "2020-03-01", valueQuantity: { value: 5 } }),
    observation("b", { effectiveDateTime: "2020-01-01", valueQuantity: { value: -2.5 } }),
    observation("c", { effectivePeriod: { start: "2020-02-01", end: "2021-01-01" }, valueQuantity: { value: 100 } }),
    observation("d", {}),
    observation("e", { effectiveDateTime: "2020-01-01", valueQuantity: { value: 1e20 } }),
    observation("f", {}),
    patient("p1", ["Öst", "Berg"]),
    patient("p2", ["adam"]),
    patient("p3", []),
    patient("p4", ["Cole", "Zorn"]),
  );
});
afterAll(() => server.close());

function observation(id: string, rest: JsonObject): JsonObject {
  return { resourceType: "Observation", id, status: "final", ...rest };
}

function patient(id: string, families: string[]): JsonObject {
  return { resourceType: "Patient", id, name: families.map((family) => ({ family })) };
}

function request(id: string, rest: JsonObject): JsonObject {
  return { resourceType: "ServiceRequest", id, ...rest };
}

function coded(...codes: string[]): JsonObject {
  return { coding: codes.map((code) => ({ system: "urn:s", code })) };
}

/** The ids of a search in their order, over pages of `count`. */
async function inOrder(path: string, count: number): Promise<unknown[]> {
  const seen: unknown[] = [];
  let next: string | undefined = `${path}&_count=${count}`;
  while (next !== undefined) {
    const { status, body, text } = await server.get(next);
    if (status !== 200) throw new Error(text);
    seen.push(...matchesOf(body).map((resource) => resource["id"]));
    next = linkOf(body, "next");
  }
  return seen;
}

/** A date of some month from 1950, some of them known to the month only. */
function month(number: number): string {
  return new Date(Date.UTC(1950, number, 1)).toISOString().slice(0, number % 3 === 0 ? 7 : 10);
}

describe("_sort", () => {
  it.each([
    ["Observation?_sort=date,_id", "b,e,c,a,d,f"],
    ["Observation?_sort=-date,_id", "a,c,b,e,d,f"],
    ["Observation?_sort=-date,-_id", "a,c,e,b,f,d"],
    ["Observation?_sort=value-quantity,_id", "b,a,c,e,d,f"],
    ["Observation?_sort=-value-quantity,_id", "e,c,a,b,d,f"],
    ["Observation?_sort=date,-value-quantity,_id", "e,b,c,a,d,f"],
    ["Observation?_sort=combo-value-quantity,_id", "b,a,c,e,d,f"],
    ["Observation?_sort=-_id", "f,e,d,c,b,a"],
    ["Observation?_sort=_lastUpdated,-_id", "f,e,d,c,b,a"],
    ["Observation?value-quantity=gt0&_sort=-date,_id", "a,c,e"],
    ["Patient?_sort=family", "p2,p1,p4,p3"],
    ["Patient?_sort=-family", "p4,p1,p2,p3"],
    ["?_type=Patient&_sort=-_id", "p4,p3,p2,p1"],
  ])("%s answers %s, whatever the length of the pages", async (path, expected) => {
    for (const count of [1, 2, 3, 50]) expect((await inOrder(`/${path}`, count)).join(",")).toBe(expected);
  });

  it("goes by the texts of tokens and references, read from the resources", async () => {
    await server.loadLive(
      request("a", { status: "completed", code: coded("m", "z"), subject: { reference: "Patient/p2" } }),
      request("b", { status: "in-progress", code: coded("k"), subject: { reference: "Patient/p1/_history/2" } }),
      request("c", { status: "completed", code: { text: "a" }, subject: { reference: "Group/g" } }),
      request("d", { code: coded("n", "b"), subject: { reference: "http://stoker.test/fhir/Patient/p0" } }),
      request("e", {
        status: "aborted",
        subject: { reference: "http://elsewhere/Patient/p9" },
        occurrenceDateTime: "2020",
      }),
      request("f", { subject: { identifier: { value: "x" } }, identifier: [{ value: "\ud83d\ude00" }] }),
    );
    const cases = [
      ["ServiceRequest?_sort=status,_id", "e,a,c,b,d,f"],
      ["ServiceRequest?_sort=-status,-_id", "b,c,a,e,f,d"],
      ["ServiceRequest?_sort=code,_id", "d,b,a,c,e,f"],
      ["ServiceRequest?_sort=-code,_id", "a,d,b,c,e,f"],
      ["ServiceRequest?_sort=subject,_id", "c,d,b,a,e,f"],
      ["ServiceRequest?_sort=patient,_id", "d,b,a,e,c,f"],
      ["ServiceRequest?_sort=-patient,_id", "e,a,b,d,c,f"],
      ["ServiceRequest?_sort=occurrence,status,-code,_id", "e,a,c,b,d,f"],
      ["ServiceRequest?status=completed&_sort=-subject", "a,c"],
      ["ServiceRequest?_sort=identifier,-_id", "f,e,d,c,b,a"],
    ] as const;
    for (const [path, expected] of cases) {
      for (const count of [1, 4, 50])
        expect([path, (await inOrder(`/${path}`, count)).join(",")]).toEqual([path, expected]);
    }
    expect((await inOrder("/?_type=ServiceRequest,Patient&_sort=-_tag,_id", 3)).length).toBe(10);
  });

  it("is in the links", async () => {
    const { body } = await server.get("/Observation?_sort=-date,_id&_count=1");
    expect(linkOf(body, "self")).toBe("/Observation?_sort=-date,_id&_count=1");
    expect(linkOf(body, "next")).toMatch(/^\/Observation\?_sort=-date,_id&_count=1&_cursor=/);
  });

  it("walks the dates of many matches to the same answer as it gathers them, multiple and long ones included", async () => {
    const months = fc.sample(fc.nat(1200), { numRuns: 7000, seed: 7 });
    const conditions = months.map((number, index) => ({
      resourceType: "Procedure",
      id: `w${index}`,
      status: "completed",
      ...(index % 50 === 0 ? {} : { performedDateTime: month(number) }),
    }));
    await server.loadLive(...conditions);
    await server.database.pool.query("analyze search_resource, search_date");
    for (const [sort, direction] of [
      ["date", 1],
      ["-date", -1],
    ] as const) {
      const starts = new Map(
        conditions.map(({ id, performedDateTime: text }) => [id, text === undefined ? undefined : Date.parse(text)]),
      );
      const values = (await inOrder(`/Procedure?_sort=${sort}`, 1000)).map((id) => starts.get(id as string));
      expect(values).toHaveLength(7000);
      const dated = values.filter((value) => value !== undefined);
      expect(values.slice(0, dated.length)).toEqual(dated.toSorted((a, b) => (a - b) * direction));
    }
    // Tokens are read from the resources, which has its bounds.
    const statuses = await inOrder("/Procedure?_sort=-status,_id", 1000);
    expect(statuses).toEqual(conditions.map(({ id }) => id).toSorted());
    await server.loadLive(
      ...Array.from({ length: 3001 }, (_, index) => ({ resourceType: "Procedure", id: `x${index}` })),
    );
    const { status, body } = await server.get("/Procedure?_sort=status");
    expect(status).toBe(400);
    expect(body).toMatchObject({ issue: [{ code: "too-costly", expression: ["_sort"] }] });
  }, 120_000);

  it.each([
    ["code-value-quantity", "not-supported", "code-value-quantity"],
    ["date,-_content", "not-supported", "_content"],
    ["_text", "not-supported", "_text"],
    ["shoe-size", "invalid", "shoe-size"],
    ["date,-date", "invalid", "date"],
    ["a,b,c,d,e,f,g,h,i", "invalid", "_sort"],
  ])("by %s is an error (%s) that names %s", async (sort, code, name) => {
    const { status, body, text } = await server.get(`/Observation?_sort=${sort}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ issue: [{ code, expression: ["_sort"] }] });
    expect(text).toContain(name);
  });

  it("takes no cursor that was made for another order, or by nobody", async () => {
    const forged = ["", "[]", '["1"]', '["1","x"]', '["99999999999999999999","1"]', '[1,"1"]', '{"a":1}'].map((text) =>
      Buffer.concat([Buffer.from([4]), Buffer.from(text)]).toString("base64url"),
    );
    for (const cursor of ["AQ", "'", "AQAAAAAAAAAB", ...forged]) {
      expect([cursor, (await server.get(`/Observation?_sort=date&_cursor=${cursor}`)).status]).toEqual([cursor, 400]);
    }
  });
});

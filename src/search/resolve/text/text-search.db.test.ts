import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../base/json.ts";
import { openSearchParameters } from "../../../store/search/search-parameters.ts";
import { findMatches } from "../../conditional.ts";
import { searchCondition } from "../../compile/plan.ts";
import { parseQuery } from "../../parse/query.ts";
import { resolveCondition } from "../resolve.ts";
import { selectionSql } from "../../type-filter.ts";
import { sql, statement } from "../../../postgres/sql.ts";
import { BASE, linkOf, matchesOf, openSearchServer, type SearchServer } from "../../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    {
      ...narrated("Patient", "p1", "<p>Jos&eacute; has <b>lung can</b>cer</p><p>since spring</p>"),
      name: [{ family: "Müller", given: ["José"] }],
      gender: "male",
      photo: [{ contentType: "image/png", data: "bHVuZ2NhbmNlcg==", title: "A portrait" }],
      extension: [
        { url: "urn:note", valueString: 'A "quoted"\nnote\\here' },
        { url: "urn:bytes", valueBase64Binary: "c2VjcmV0" },
      ],
    },
    {
      ...narrated("Patient", "p2", "<p>heart failure</p>"),
      gender: "female",
      meta: { versionId: "stale", source: "urn:s" },
    },
    { resourceType: "Patient", id: "p3", gender: "male", name: [{ text: "lung" }] },
    {
      ...narrated("Condition", "c1", "<p>metastases of the liver</p>"),
      subject: { reference: "Patient/p1" },
      code: { text: "Liver metastases" },
      contained: [{ ...narrated("Observation", "inner", "<p>contained words</p>"), status: "final" }],
    },
    {
      ...narrated("Condition", "c2", "<p>lung</p>"),
      subject: { reference: "Patient/p2" },
      code: { text: "Pneumonia" },
    },
    { resourceType: "Binary", id: "b1", contentType: "text/plain", data: "bHVuZw==" },
    ...Array.from({ length: 25 }, (_, index) => ({
      resourceType: "Observation",
      id: `o${String(index).padStart(2, "0")}`,
      status: "final",
      code: { text: index % 2 === 0 ? "even number" : "odd number" },
      subject: { reference: `Patient/p${1 + (index % 2)}` },
      note: [{ text: `note ${index}` }],
      effectiveDateTime: `2020-01-${String(index + 1).padStart(2, "0")}`,
    })),
  );
});
afterAll(() => server.close());

function narrated(resourceType: string, id: string, xhtml: string): JsonObject {
  return {
    resourceType,
    id,
    text: { status: "generated", div: `<div xmlns="http://www.w3.org/1999/xhtml">${xhtml}</div>` },
  };
}

function goal(text: string): JsonObject {
  return { resourceType: "Goal", id: "g", description: { text } };
}

const q = encodeURIComponent;
const EVEN = Array.from({ length: 13 }, (_, index) => `o${String(2 * index).padStart(2, "0")}`);

describe("_text and _content", () => {
  it.each([
    ["Patient?_text=lung", "p1"],
    ["Patient?_text=jose spring", "p1"],
    [`Patient?_text=${q('"lung cancer"')}`, "p1"],
    ["Patient?_text=lung,heart", "p1 p2"],
    ["Patient?_text=lung&_text=heart", ""],
    ["Patient?_text=lung&_text=spring", "p1"],
    ["Patient?_text=müller", ""],
    ["Patient?_text=xhtml", ""],
    ["Patient?_text=xmlns", ""],
    ["Patient?_content=lung", "p1 p3"],
    ["Patient?_content=muller", "p1"],
    ["Patient?_content=mull heart", ""],
    ["Patient?_content=lung&_text=heart", ""],
    ["Patient?_content=lung&gender=male&name=lung", "p3"],
    ["Patient?_content=family", ""],
    ["Patient?_content=patient", ""],
    ["Patient?_content=bhvuz", ""],
    ["Patient?_content=c2vj", ""],
    ["Patient?_content=portrait", "p1"],
    ["Patient?_content=stale", ""],
    ["Patient?_content=urn:s", "p2"],
    [`Patient?_content=${q('"quoted"')}`, "p1"],
    [`Patient?_content=${q('"note\\\\here"')}`, "p1"],
    [`Patient?_content=${q('"Müller José"')}`, ""],
    ["Patient?_content=nothing", ""],
    ["Patient?_text=NOT lung", "p2 p3"],
    ["Condition?_text=(bone OR liver) and metastases", "c1"],
    ["Condition?_text=contained", ""],
    ["Condition?_content=contained", "c1"],
    ["Condition?subject:Patient._text=heart", "c2"],
    ["Condition?subject._content=heart", "c2"],
    ["Condition?_content=lung&subject:Patient._content=heart", "c2"],
    ["Patient?_has:Condition:patient:_text=liver", "p1"],
    ["Patient?_has:Condition:patient:_text=lung&_content=heart", "p2"],
    ["Patient?_has:Observation:patient:_content=even", "p1"],
    ["Binary?_text=lung", ""],
    ["Binary?_content=lung", ""],
    ["Binary?_content=plain", "b1"],
    ["?_type=Patient,Condition&_text=lung", "c2 p1"],
    ["?_content=lung", "c2 p1 p3"],
    ["Patient/p1/Condition?_content=liver", "c1"],
    ["Patient/p1/Condition?_content=pneumonia", ""],
    ["Patient/p1/*?_content=metastases", "c1"],
    ["Patient/p2/*?_content=lung,odd&_type=Condition", "c2"],
  ])("%s finds %s", async (path, expected) => {
    expect((await server.ids(`/${path}`)).join(" ")).toBe(expected);
    const [where = "", query = ""] = path.split("?");
    if (where !== "" && !where.includes("/")) {
      const { body } = await server.post(`/${where}/_search`, query);
      const ids = matchesOf(body).map(({ id }) => id as string);
      expect(ids.toSorted().join(" ")).toBe(expected);
    }
  });

  it("page, count, sort and include as other parameters do", async () => {
    for (const sort of ["", "&_sort=-date", "&_sort=_lastUpdated"]) {
      const ids: string[] = [];
      let pages = 0;
      let path = `/Observation?_content=even&_count=3&_total=accurate&_include=Observation:patient${sort}`;
      for (let next: string | undefined = path; next !== undefined; pages++) {
        path = next;
        const { body } = await server.get(path);
        expect(body["total"]).toBe(13);
        ids.push(...matchesOf(body).map(({ id }) => id as string));
        expect(JSON.stringify(body)).toContain('"mode":"include"');
        expect(linkOf(body, "self")).toContain("_content=even");
        next = linkOf(body, "next");
      }
      expect([sort, pages, ids.toSorted()]).toEqual([sort, 5, EVEN]);
      if (sort === "&_sort=-date") expect(ids).toEqual(EVEN.toReversed());
    }
    const { body } = await server.get("/Observation?_content=odd&_summary=count");
    expect(body["total"]).toBe(12);
  });

  it("are understood by conditional interactions and by filters of exports", async () => {
    const { pool } = server.database;
    const client = await pool.connect();
    try {
      const context = { baseUrl: BASE, dateEquality: "contain", searchParameters: openSearchParameters(pool) } as const;
      const matches = await findMatches(client, context, "Patient", "_content=lung&gender=male&_text=spring", 2);
      expect(matches.map(({ id }) => id)).toEqual(["p1"]);
    } finally {
      client.release();
    }
    const selection = { type: "Condition", queries: ["_text=liver", "_content=pneumonia"], patients: ["p1", "p3"] };
    const rows = await selectionSql(pool, selection, { baseUrl: BASE, dateEquality: "contain" });
    const found = await pool.query<{ id: string }>(
      statement(sql`select h.id from search_resource r join resource_current h on h.key = r.key where ${rows}`),
    );
    expect(found.rows).toEqual([{ id: "c1" }]);
  });

  it("find current versions only", async () => {
    await server.load([{ resource: goal("before"), versionId: 1 }], false);
    await server.load([{ resource: goal("after"), versionId: 2 }], false);
    expect(await server.ids("/Goal?_content=before")).toEqual([]);
    expect(await server.ids("/Goal?_content=after")).toEqual(["g"]);
  });

  it.each([
    ["Patient?_text:exact=x", "not-supported"],
    ["Patient?_text:missing=true", "not-supported"],
    ["Patient?_content:contains=x", "not-supported"],
    ["Patient?_content:missing=false", "not-supported"],
    ["Condition?subject._content:not=x", "not-supported"],
    [`Patient?_text=${q('"a, b"')}`, "invalid"],
    ["Patient?_text=(a", "invalid"],
    [`Patient?${Array.from({ length: 3 }, () => `_content=${"a+".repeat(80)}`).join("&")}`, "too-costly"],
  ])("%s is a 400 that names it", async (path, code) => {
    const { status, body, text } = await server.get(`/${path}`);
    expect([status, (body["issue"] as JsonObject[])[0]?.["code"]]).toEqual([400, code]);
    expect(text).toMatch(/_text|_content/);
  });

  it.each([
    ["Observation?_content=even", { resources: 25, bytes: 1e6 }, undefined],
    ["Observation?_content=even", { resources: 24, bytes: 1e6 }, "too-costly"],
    ["Observation?_content=even", { resources: 25, bytes: 1000 }, "too-costly"],
    ["Observation?_content=even&date=2020-01-03", { resources: 1, bytes: 1000 }, undefined],
    ["Observation?_content=even&patient=p2", { resources: 12, bytes: 1e6 }, undefined],
    ["Observation?_content=even&patient=p2", { resources: 11, bytes: 1e6 }, "too-costly"],
    ["Condition?subject:Patient._content=lung", { resources: 3, bytes: 1e6 }, undefined],
    ["Condition?subject:Patient._content=lung", { resources: 2, bytes: 1e6 }, "too-costly"],
  ])("%s reads no more than %o", async (path, readLimits, code) => {
    const [type = "", query = ""] = path.split("?");
    const parameters = [...new URLSearchParams(query)];
    const { groups } = parseQuery({ type, parameters, strict: true, baseUrl: BASE });
    const condition = searchCondition(groups, { dateEquality: "contain", now: 0, baseUrl: BASE, readLimits });
    const resolving = resolveCondition(server.database.pool, condition);
    if (code === undefined) await expect(resolving).resolves.toBeDefined();
    else await expect(resolving).rejects.toMatchObject({ code, status: 400, issue: "too-costly" });
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openReindexServer } from "../../../http/testing/reindex-server.ts";
import type { Json, WriteServer } from "../../../http/testing/write-server.ts";
import { BASE } from "../../../http/testing/write-server.ts";
import { openSearchParameters } from "../../../store/search/search-parameters.ts";
import { findMatches } from "../../conditional.ts";
import { selectionSql } from "../../type-filter.ts";
import { sql, statement } from "../../../postgres/sql.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openReindexServer();
  await put(patient("early"));
  await define("school", { base: ["Patient"], type: "reference", target: ["Organization"] });
  await define("kind", { base: ["Organization"], type: "token" });
  await define("size", { base: ["Organization"], type: "quantity" });
  await reindex();
  await put(patient("late"));
  await put({ ...patient("none"), contained: [] });
});
afterAll(() => server.close());

const EXTENSION = "http://example.org/fhir/StructureDefinition/";

async function define(id: string, fields: Json): Promise<void> {
  const url = `http://example.org/fhir/SearchParameter/${id}`;
  const expression = `${fields["base"]}.extension.where(url='${EXTENSION}${id}').value`;
  const named = { id, url, name: id, code: id, description: id, status: "active", expression };
  await put({ resourceType: "SearchParameter", ...named, ...fields });
}

function patient(id: string): Json {
  const size = { value: 2, unit: "kg", system: "http://unitsofmeasure.org", code: "kg" };
  return {
    resourceType: "Patient",
    id,
    extension: [{ url: `${EXTENSION}school`, valueReference: { reference: "#hill" } }],
    contained: [
      {
        resourceType: "Organization",
        id: "hill",
        name: "Hill School",
        extension: [
          { url: `${EXTENSION}kind`, valueCodeableConcept: { coding: [{ code: "primary" }], text: "Primary school" } },
          { url: `${EXTENSION}size`, valueQuantity: size },
        ],
      },
    ],
  };
}

async function put(resource: Json): Promise<void> {
  const { status, text } = await server.send("PUT", `/${resource.resourceType}/${resource.id}`, resource);
  if (status >= 400) throw new Error(text);
}

/** Starts `$reindex` and waits for its end. */
async function reindex(): Promise<void> {
  const started = await server.send("POST", "/$reindex", undefined, { prefer: "respond-async" });
  const path = (started.headers["content-location"] ?? "").replace(/^.*\/fhir/, "");
  for (;;) {
    const { status } = await server.send("GET", path);
    if (status === 200) return;
    expect(status).toBe(202);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("custom parameters", () => {
  it.each([
    "school.name=hill",
    "school.kind=primary",
    "school.kind:text=primary",
    "school:Organization.kind:not=secondary",
    "school.size=2000|http://unitsofmeasure.org|g",
    "school.name:missing=false",
  ])("lead into contained resources, and are asked there, once reindexed: %s", async (query) => {
    expect(await server.ids(`/Patient?${query}`)).toEqual(["early", "late"]);
  });

  it.each(["school.kind=secondary", "school.size=2|http://unitsofmeasure.org|g", "school.name=x"])(
    "find nothing by %s",
    async (query) => {
      expect(await server.ids(`/Patient?${query}`)).toEqual([]);
    },
  );
});

describe("contained resources", () => {
  it("are looked into by conditional interactions", async () => {
    const { pool } = server.database;
    const client = await pool.connect();
    try {
      const context = { baseUrl: BASE, dateEquality: "contain", searchParameters: openSearchParameters(pool) } as const;
      const matches = await findMatches(client, context, "Patient", "school.kind=primary&_id=late", 2);
      expect(matches.map(({ id }) => id)).toEqual(["late"]);
    } finally {
      client.release();
    }
  });

  it("are looked into by filters of exports", async () => {
    const { pool } = server.database;
    const selection = { type: "Patient", queries: ["school.name=hill"], patients: ["late", "none"] };
    const rows = await selectionSql(pool, selection, { baseUrl: BASE, dateEquality: "contain" });
    const found = await pool.query<{ id: string }>(
      statement(sql`select h.id from search_resource r join resource_current h on h.key = r.key where ${rows}`),
    );
    expect(found.rows).toEqual([{ id: "late" }]);
  });
});

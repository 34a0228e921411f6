import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { entriesOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    location("boston", 42.3601, -71.0589),
    location("cambridge", 42.3736, -71.1097),
    location("new-york", 40.7128, -74.006),
    location("fiji-east", -17.7, 179.99),
    location("fiji-west", -17.7, -179.99),
    location("pole", 90, 0),
    location("no-place", 1e300, 1e300),
    { resourceType: "Location", id: "unknown" },
    { resourceType: "Location", id: "half", position: { latitude: 42.36 } },
    { resourceType: "Encounter", id: "e", location: [{ location: { reference: "Location/boston" } }] },
  );
});
afterAll(() => server.close());

function location(id: string, latitude: number, longitude: number): JsonObject {
  return { resourceType: "Location", id, position: { latitude, longitude } };
}

const q = encodeURIComponent;

describe("near", () => {
  it.each([
    ["42.36|-71.06|1|km", "boston"],
    ["42.36|-71.06|5", "boston cambridge"],
    ["42.36|-71.06|4000|m", "boston"],
    ["42.36|-71.06|3|[mi_i]", "boston cambridge"],
    ["42.36|-71.06", "boston cambridge"],
    ["42.36|-71.06|305|km", "boston cambridge"],
    ["42.36|-71.06|307|km", "boston cambridge new-york"],
    ["42.3601|-71.0589|0", "boston"],
    ["-17.7|180|2|km", "fiji-east fiji-west"],
    ["-17.7|-180|2|km", "fiji-east fiji-west"],
    ["89.999|123|1|km", "pole"],
    ["42.36|-71.06|1|km,90|0|1|km", "boston pole"],
    ["0|0|999999999|km", "boston cambridge fiji-east fiji-west new-york pole"],
  ])("%s finds %s", async (value, expected) => {
    const text = value.split(",").map(q).join(",");
    expect((await server.ids(`/Location?near=${text}`)).join(" ")).toBe(expected);
  });

  it.each([
    ["42.36|-71.06|5|km", { boston: [0.09, "km"], cambridge: [4.4, "km"] }],
    ["42.36|-71.06|4000|m", { boston: [91.1, "m"] }],
    ["42.36|-71.06|5|km,42.3736|-71.1097|1|km", { boston: [0.09, "km"], cambridge: [0, "km"] }],
  ])("%s tells how far each is (extension location-distance)", async (value, expected) => {
    const text = value.split(",").map(q).join(",");
    const { body } = await server.get(`/Location?near=${text}&_elements=name`);
    const found = entriesOf(body).map(({ resource, search }) => {
      const [extension] = (search as JsonObject)["extension"] as JsonObject[];
      expect(extension?.["url"]).toBe("http://hl7.org/fhir/StructureDefinition/location-distance");
      const { value: distance, unit, system, code } = (extension?.["valueDistance"] ?? {}) as JsonObject;
      expect([system, code]).toEqual(["http://unitsofmeasure.org", unit]);
      return [(resource as JsonObject)["id"], [expect.closeTo(distance as number, 1) as number, unit]];
    });
    expect(expected).toEqual(Object.fromEntries(found));
  });

  it("tells no distance where nothing is asked to be near", async () => {
    expect(JSON.stringify((await server.get("/Location?_id=boston")).body)).not.toContain("location-distance");
  });

  it("takes :missing, and part in chains", async () => {
    expect(await server.ids("/Location?near:missing=true")).toEqual(["unknown"]);
    expect(await server.ids(`/Encounter?location.near=${q("42.36|-71.06|1")}`)).toEqual(["e"]);
  });

  it.each(["42", "x|y", "91|0", "0|181", "42|-71|x", "42|-71|-1", "42|-71|1|parsec", "42|-71|1|km|x"])(
    "%s is an error",
    async (value) => {
      expect((await server.get(`/Location?near=${q(value)}`)).status).toBe(400);
    },
  );

  it.each(["near:not=1", "near:exact=1", "_sort=near"])("%s is not supported", async (query) => {
    const { status, body } = await server.get(`/Location?${query}`);
    expect([status, (body["issue"] as JsonObject[])[0]?.["code"]]).toEqual([400, "not-supported"]);
  });
});

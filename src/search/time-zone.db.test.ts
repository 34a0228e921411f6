import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installTimeZone, UTC } from "../base/time-zone.ts";
import { openSearchServer, type SearchServer } from "./testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  installTimeZone("Europe/Berlin");
  server = await openSearchServer();
  const instants: [string, string][] = [
    ["before", "2024-03-30T22:59:59Z"],
    ["first", "2024-03-30T23:00:00Z"],
    ["last", "2024-03-31T21:59:59Z"],
    ["after", "2024-03-31T22:00:00Z"],
    ["day", "2024-03-31"],
    ["month", "2024-03"],
    ["long", "2024-10-27"],
    ["leap", "2016-12-31T23:59:60Z"],
  ];
  await server.load([
    ...instants.map(([id, effectiveDateTime]) => ({
      resource: { resourceType: "Observation", id, effectiveDateTime },
    })),
    { resource: { resourceType: "Patient", id: "night" }, lastUpdated: Date.UTC(2024, 5, 30, 22, 30) },
    { resource: { resourceType: "Patient", id: "noon" }, lastUpdated: Date.UTC(2024, 5, 30, 12) },
  ]);
});
afterAll(async () => {
  installTimeZone(UTC);
  await server.close();
});

describe("dates without a zone, in a store of Europe/Berlin (D-29)", () => {
  it.each([
    ["Observation?date=2024-03-31", "day,first,last"],
    ["Observation?date=2024-03-30", "before"],
    ["Observation?date=gt2024-03-31", "after,long"],
    ["Observation?date=2024-03", "before,day,first,last,month"],
    ["Observation?date=2024-10-27", "long"],
    ["Observation?date=ge2024-10-26T22:00:00Z&date=lt2024-10-26T22:00:01Z", "long"],
    ["Observation?date=ge2024-10-27T22:59:59Z", "long"],
    ["Observation?date=ge2024-10-27T23:00:00Z", ""],
    // 2016-12-31T23:59:60Z, on New Year's Day in Berlin, in the minute before one o'clock.
    ["Observation?date=2017-01-01T00:59", "leap"],
    ["Observation?date=2017-01-01T01:00", ""],
    ["Observation?date=2016-12-31T23:59Z", "leap"],
    ["Patient?_lastUpdated=2024-07-01", "night"],
    ["Patient?_lastUpdated=2024-06-30", "noon"],
    ["Patient?_lastUpdated=lt2024-07", "noon"],
  ])("%s finds %s", async (query, expected) => {
    expect((await server.ids(`/${query}`)).join()).toBe(expected);
  });
  it.each([
    ["_history?_since=2024-07-01", 1],
    ["_history?_since=2024-06-30", 2],
    ["_history?_at=lt2024-06-30", 0],
  ])("Patient/%s has %i entries", async (path, count) => {
    expect(((await server.get(`/Patient/${path}`)).body["entry"] as unknown[] | undefined)?.length ?? 0).toBe(count);
  });
});

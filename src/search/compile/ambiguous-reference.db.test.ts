import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.load([
    ...["Patient", "Practitioner", "Device"].map((resourceType) => ({ resource: { resourceType, id: "example" } })),
    ...["Patient", "Practitioner"].map((resourceType) => ({ resource: { resourceType, id: "half" } })),
    { resource: { resourceType: "Practitioner", id: "half" }, versionId: 2, deleted: true },
    { resource: { resourceType: "Task", id: "of-patient", requester: { reference: "Patient/example" } } },
    { resource: { resourceType: "Task", id: "of-half", requester: { reference: "Patient/half" } } },
    { resource: { resourceType: "Task", id: "of-nobody", requester: { reference: "Device/unknown" } } },
    { resource: { resourceType: "Observation", id: "o", subject: { reference: "Patient/example" } } },
    { resource: { resourceType: "Provenance", id: "p", target: [{ reference: "Task/of-patient" }] } },
  ]);
});
afterAll(() => server.close());

describe("a reference by an id without a type", () => {
  it.each([
    "Task?requester=example",
    "Task?requester=half,example",
    "Observation?subject=example",
    "Provenance?target:Task.requester=example",
    "Task?_has:Provenance:target:target.requester=example",
  ])("that several types have is refused: %s", async (path) => {
    const { status, text } = await server.get(`/${path}`);
    expect([status, text]).toEqual([400, expect.stringContaining("several types")]);
  });
  it.each([
    ["Task?requester=Patient/example", "of-patient"],
    ["Task?requester:Patient=example", "of-patient"],
    ["Task?requester=half", "of-half"],
    ["Task?requester=unknown", "of-nobody"],
    ["Observation?patient=example", "o"],
    ["Provenance?target=of-patient", "p"],
  ])("that one type can have is found: %s", async (path, expected) => {
    expect(await server.ids(`/${path}`)).toEqual([expected]);
  });
});

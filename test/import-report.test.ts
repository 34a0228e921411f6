import { afterAll, beforeAll, expect, test } from "vitest";
import { openFullServer, type FullServer, type Json } from "./support/full-server.ts";

/** What the status says beside sums: lines by type, references that lead nowhere, causes (load-and-jobs-interface 3). */

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

const line = (value: object): string => `${JSON.stringify(value)}\n`;
const patient = (id: string, more: object = {}): string => line({ resourceType: "Patient", id, ...more });
const observation = (id: string, ...references: string[]): string =>
  line({ resourceType: "Observation", id, performer: references.map((reference) => ({ reference })) });

const FILE = [
  patient("a"),
  patient("b", { gender: "xx" }),
  "oops\n",
  patient("c", { gender: "yy" }),
  observation("o", "Practitioner?identifier=1", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
  observation("p", "Practitioner?identifier=2", "Practitioner/here"),
  observation("under_score", "Practitioner?identifier=3"),
  observation("under_score_too"),
  patient("a", { active: true }),
  line({ resourceType: "Spaceship", id: "s" }),
].join("");

test.each([10_000_000, 60])("units of %i bytes", async (unitBytes) => {
  const url = await server.file(
    `mixed-${String(unitBytes)}.ndjson`,
    FILE.replaceAll('"id":"', `"id":"${String(unitBytes)}`),
  );
  const { status, body } = await server.load({ inputs: [url], unitBytes });
  expect(status).toBe(200);
  const { stoker } = body;
  const none = { created: 0, updated: 0, unchanged: 0, deleted: 0, rejected: 0 };
  expect(stoker.types).toEqual([
    { ...none, type: "Observation", created: 2, rejected: 2 },
    { ...none, type: "Patient", created: 1, rejected: 3 },
    { ...none, type: null, rejected: 2 },
  ]);
  expect(stoker.references).toEqual({
    unresolved: 3,
    left: [
      { form: "conditional", targetType: "Practitioner", count: 2 },
      { form: "urn", targetType: null, count: 1 },
    ],
  });
  expect([stoker.loaded, stoker.rejected, stoker.otherRejected]).toEqual([3, 7, 0]);
  const counts = stoker.causes.map(({ text, count }: Json) => [text, count]);
  expect(counts.slice(0, 2).map(([, count]: Json) => count)).toEqual([2, 2]);
  expect(Object.fromEntries(counts)).toMatchObject({
    'Patient.gender: code "…" is not in the required value set administrative-gender (male, female, other, unknown).': 2,
    "Invalid resource id: 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.' are allowed.": 2,
    "Failed to import duplicate resource, resource id: …, line: n": 1,
  });
  const gender = stoker.causes.find(({ code }: Json) => code === "code-invalid");
  expect(gender.samples).toEqual([
    {
      inputUrl: url,
      line: 2,
      byteOffset: expect.any(Number),
      expression: "Patient.gender",
      text: expect.stringContaining('"xx"'),
    },
    {
      inputUrl: url,
      line: 4,
      byteOffset: expect.any(Number),
      expression: "Patient.gender",
      text: expect.stringContaining('"yy"'),
    },
  ]);
});

const versions = (version: number, year: number): string =>
  patient("v", {
    meta: { versionId: String(version), lastUpdated: `${String(year)}-01-01T00:00:00Z` },
    birthDate: String(year),
  });

test("a line that a later batch decides otherwise is counted once", async () => {
  const url = await server.file(
    "versions.ndjson",
    [versions(1, 2001), versions(3, 2003), versions(2, 2004), versions(2, 2002)].join(""),
  );
  const { body } = await server.load({ inputs: [url], unitBytes: 10 });
  const [ofType] = body.stoker.types;
  expect(ofType.created + ofType.updated + ofType.unchanged).toBe(body.stoker.loaded);
  expect(ofType.rejected).toBe(body.stoker.rejected);
  expect(body.stoker.loaded + body.stoker.rejected).toBe(4);
});

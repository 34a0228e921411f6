import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportedLines, runExport } from "./support/exports.ts";
import { fingerprints } from "./support/fingerprints.ts";
import { errorLog, openFullServer, type FullServer } from "./support/full-server.ts";

/** Everything with its history, as an import takes it. */
const ALL = "$export?includeAssociatedData=_history,_deleted";

const DELETED = { url: "http://azurehealthcareapis.com/data-extensions/deleted-state", valueString: "soft-deleted" };

function line(type: string, id: string, meta: object | undefined, more: object = {}): string {
  return `${JSON.stringify({ resourceType: type, id, ...(meta === undefined ? {} : { meta }), ...more })}\n`;
}

function at(year: number, versionId?: number): object {
  const lastUpdated = `${String(year)}-01-01T00:00:00.000+00:00`;
  return versionId === undefined ? { lastUpdated } : { versionId: String(versionId), lastUpdated };
}

describe("an export with history and deletions, imported into an empty server", () => {
  let origin: FullServer;
  let copy: FullServer;
  let lines: string[];

  beforeAll(async () => {
    [origin, copy] = await Promise.all([openFullServer(), openFullServer()]);
    await fill(origin);
    const done = await runExport(origin.base, ALL);
    lines = await exportedLines(done);
    const inputs: { url: string; type: string }[] = [];
    for (const { type, url } of done.body.output as { type: string; url: string }[]) {
      const text = await (await fetch(url)).text();
      inputs.push({ url: await copy.file(url.slice(url.lastIndexOf("/") + 1), text), type });
    }
    const first = await copy.load({ inputs, negatives: true });
    expect(first.status).toBe(200);
    // The numbers and dates of this one contradict each other: such versions come one import at a time (C-070).
    expect((await errorLog(first)).map(({ text }) => text)).toEqual([expect.stringContaining("resource id: crossed,")]);
    const rejected = await fetch(first.body.error[0].rejectedUrl as string);
    const second = await copy.load({
      inputs: [await copy.file("again.ndjson", await rejected.text())],
      negatives: true,
    });
    expect([second.body.output[0].count, second.body.error]).toEqual([1, []]);
  });
  afterAll(async () => {
    await origin?.close();
    await copy?.close();
  });

  it("gives every version once, with its number and date", () => {
    expect(lines.length).toBeGreaterThan(30);
    const versions = lines
      .map((text) => JSON.parse(text))
      .map(({ resourceType, id, meta }) => `${resourceType}/${id}/${meta.versionId}`);
    expect(new Set(versions).size).toBe(versions.length);
  });

  it("exports the same lines again", async () => {
    expect(await exportedLines(await runExport(copy.base, ALL))).toEqual(lines);
  });

  it("has the same heads, versions and search rows", async () => {
    const [before, after] = [
      await fingerprints(origin.database.connection),
      await fingerprints(copy.database.connection),
    ];
    // Which import a version came from, what its line said, and the length of a body with white space are not part of it.
    for (const table of ["search_resource", "search_date", "search_quantity", "search_string"]) {
      expect(after[table], table).toBe(before[table]);
    }
    for (const table of ["resource_current", "resource_history"]) {
      const query = {
        text: `select key::text, ${table === "resource_current" ? "id" : "'' as id"}, version_id, last_updated::text, deleted
          from ${table} order by 1, 3`,
      };
      const [own, theirs] = [await origin.database.pool.query(query), await copy.database.pool.query(query)];
      expect(theirs.rows).toEqual(own.rows);
    }
  });

  it("answers reads, histories and searches alike", async () => {
    const paths = [
      "Patient/plain",
      "Patient/plain/_history/1",
      "Patient/history",
      "Patient/history/_history",
      "Patient/gap/_history",
      "Patient/negative/_history",
      "Patient/negative/_history/-1",
      "Patient/below/_history",
      "Patient/below",
      "Patient/gone",
      "Patient/gone/_history",
      "Patient/back/_history",
      "Patient/only-deleted",
      "Patient/zone",
      "Patient/crossed/_history",
      "Observation/api/_history",
      "Observation?subject=Patient/history",
      "Patient?birthdate=ge1962&_sort=birthdate",
      "Patient?_lastUpdated=lt2004&_total=accurate",
    ];
    for (const path of paths) {
      const answers = [];
      for (const server of [origin, copy]) {
        const response = await server.get(path);
        const text = await response.text();
        // Line ends between tokens are spaces in an export.
        const known = text
          .replaceAll(server.base, "BASE")
          .replaceAll("\n", " ")
          .replace(/"id":"[0-9a-f-]{36}","meta":\{"lastUpdated":[^}]*\}/, "");
        answers.push({ status: response.status, etag: response.headers.get("etag"), text: known });
      }
      expect(answers[1], path).toEqual(answers[0]);
    }
  });
});

/** A store with all that is peculiar: gaps, negative versions, deletions, white space, versions written by API. */
async function fill(server: FullServer): Promise<void> {
  const patients = [
    line("Patient", "plain", undefined, { gender: "female" }),
    ...[1, 2, 3].map((version) =>
      line("Patient", "history", at(2000 + version, version), { birthDate: `196${String(version)}-01-01` }),
    ),
    line("Patient", "gap", at(2001, 3)) + line("Patient", "gap", at(2005, 17), { active: true }),
    line("Patient", "negative", at(2001, 1)) +
      line("Patient", "negative", at(2002)) +
      line("Patient", "negative", at(2003, 2)),
    line("Patient", "below", at(2003, -5)) + line("Patient", "below", at(2001, -7)),
    line("Patient", "gone", at(2001, 1), { birthDate: "1970-01-01" }) +
      line("Patient", "gone", { ...at(2002, 2), extension: [DELETED] }, { birthDate: "1970-01-01" }),
    line("Patient", "back", at(2001, 1)) +
      line("Patient", "back", { ...at(2002, 2), extension: [{ url: "urn:x", valueString: "y" }, DELETED] }) +
      line("Patient", "back", at(2003, 3), { active: false }),
    line("Patient", "only-deleted", { ...at(2021, 5), extension: [DELETED] }),
    line("Patient", "zone", { versionId: "4", lastUpdated: "2021-05-06T17:08:09+10:00", tag: [{ code: "a" }] }),
    '{ "resourceType" : "Patient",\t"name":[{"family":"Müller \\u00e4 meta\\""}], "id":"odd" , "meta" : { "tag":[ ] } }\n',
  ];
  const many = Array.from({ length: 300 }, (_, index) =>
    line("Observation", `o-${String(index)}`, undefined, {
      status: "final",
      code: { coding: [{ system: "urn:c", code: String(index % 7) }] },
      subject: { reference: "Patient/history" },
      valueQuantity: { value: index / 10, unit: "kg" },
    }),
  );
  const inputs = [
    await server.file("patients.ndjson", patients.join("")),
    await server.file("many.ndjson", many.join("")),
  ];
  const imported = await server.load({ inputs, negatives: true });
  expect(imported.body.error).toEqual([]);

  for (const [version, year] of [
    [1, 2001],
    [5, 2005],
    [3, 2000],
  ] as const) {
    const url = await server.file(`crossed-${String(version)}.ndjson`, line("Patient", "crossed", at(year, version)));
    expect((await server.load({ inputs: [url] })).body.error).toEqual([]);
  }

  const put = async (path: string, resource: object | string): Promise<void> => {
    const body = typeof resource === "string" ? resource : JSON.stringify(resource);
    const headers = { "content-type": "application/fhir+json" };
    const response = await fetch(`${server.base}/${path}`, { method: "PUT", headers, body });
    if (!response.ok) throw new Error(await response.text());
  };
  const remove = async (path: string): Promise<void> => {
    const response = await fetch(`${server.base}/${path}`, { method: "DELETE" });
    if (!response.ok) throw new Error(await response.text());
  };
  const observation = { resourceType: "Observation", id: "api", status: "final", code: { text: "x" } };
  await put("Observation/api", JSON.stringify(observation, null, 2));
  await put("Observation/api", { ...observation, status: "amended" });
  await remove("Observation/api");
  await put("Observation/api", { ...observation, status: "corrected", note: [{ text: "line\nend" }] });
  await put("Observation/lost", { ...observation, id: "lost" });
  await remove("Observation/lost");
  await put("Patient/history", { resourceType: "Patient", id: "history", gender: "male", birthDate: "1964-02-03" });
}

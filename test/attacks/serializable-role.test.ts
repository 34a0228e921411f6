import { afterAll, beforeAll, expect, test } from "vitest";
import { exportedLines, exportOutcome, kickOff } from "../support/exports.ts";
import { openLimitedRole, type LimitedRole } from "../support/limited-role.ts";
import { openWorkplace, type StokerRun, type Workplace } from "../support/stoker-run.ts";

/** A role whose transactions are `serializable` unless they say otherwise: none of its requests may fail for that (40001). */

let role: LimitedRole;
let place: Workplace;
let server: StokerRun;
beforeAll(async () => {
  role = await openLimitedRole();
  await role.set("default_transaction_isolation", "serializable");
  place = await openWorkplace();
  server = await place.serve({ STOKER_DATABASE_URL: role.url, STOKER_WORKERS: "1", STOKER_LOG_LEVEL: "warn" });
});
afterAll(async () => {
  await place?.close();
  await role?.drop();
});

async function put(id: string): Promise<number> {
  const response = await fetch(`${server.base}/Patient/${id}`, {
    method: "PUT",
    headers: { "content-type": "application/fhir+json" },
    body: JSON.stringify({ resourceType: "Patient", id, gender: "female" }),
  });
  await response.arrayBuffer();
  return response.status;
}

test("exports are registered and carried out beside writes and reindexes", async () => {
  expect(await put("first")).toBe(201);
  const writes = Array.from({ length: 100 }, (_, number) => put(`p${String(number % 50)}`));
  const kickOffs = Array.from({ length: 8 }, () => kickOff(server.base, "$export"));
  const reindexes = Array.from({ length: 5 }, () => fetch(`${server.base}/$reindex`, { method: "POST" }));
  expect((await Promise.all(writes)).filter((status) => status > 201)).toEqual([]);
  expect(new Set((await Promise.all(reindexes)).map(({ status }) => status))).toEqual(new Set([202]));
  const answers = await Promise.all(kickOffs);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  for (const { headers } of answers) {
    const lines = await exportedLines(await exportOutcome(headers.get("content-location") ?? ""));
    expect(lines.length).toBeGreaterThanOrEqual(1);
  }
  expect(server.said()).not.toMatch(/40001|could not serialize/);
});

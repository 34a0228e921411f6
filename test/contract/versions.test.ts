import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorLog, openFullServer, type FullServer, type Json, type LoggedError } from "../support/full-server.ts";
import { DELETION_CASES } from "../support/deletion-table.ts";
import { birthDate, contentOf, patientLine, readShorthand, type VersionCase } from "../support/version-cases.ts";
import { VERSION_CASES } from "../support/version-table.ts";

/**
 * Contract 5.4 to 5.7 with decisions D-02, D-03, D-14, D-27. The rows do not touch one another, so all of them go into a
 * few imports: first the first steps of all rows, then the second ones, and so on.
 */

interface SeenVersion {
  versionId: string;
  /** Milliseconds since 1970. */
  lastUpdated: number;
  /** The letter of the tables; undefined for a deletion. */
  content: string | undefined;
}

/** What there is to see of a resource after a step. */
interface Seen {
  /** When the case, and the last import so far, began and ended. */
  now: number;
  ended: number;
  history: SeenVersion[];
  read: { status: number; etag: string | null; body: Json };
  /** Whether a search for the id finds it. */
  found: boolean;
  errors: { line: number; error: LoggedError }[];
}

const CASES = [...VERSION_CASES, ...DELETION_CASES];

let server: FullServer;
let opened: number;
/** By case, then by step. */
const seen: Map<VersionCase, Seen[]> = new Map(CASES.map((one) => [one, []]));
/** By step: what searches for each content found, and what they should have. */
const searches: { found: unknown; current: unknown }[] = [];

beforeAll(async () => {
  server = await openFullServer();
  opened = Date.now();
  for (let step = 0; CASES.some((one) => one.steps[step] !== undefined); step++) {
    await writeByApi(step);
    for (const mode of ["InitialLoad", "IncrementalLoad"] as const) {
      for (const negatives of [false, true]) {
        for (const declared of [false, true]) {
          const cases = CASES.filter(
            (one) =>
              one.steps[step]?.lines !== undefined &&
              (one.mode ?? "IncrementalLoad") === mode &&
              (one.negatives ?? false) === negatives &&
              (one.declared ?? false) === declared,
          );
          await runStep(cases, step, { mode, negatives, declared });
        }
      }
    }
    searches.push(await searchContents());
  }
});

afterAll(() => server?.close());

/** Carries out the steps of this number that are writes through the API. */
async function writeByApi(step: number): Promise<void> {
  for (const one of CASES) {
    const api = one.steps[step]?.api;
    if (api === undefined) continue;
    const now = seen.get(one)?.[0]?.now ?? Date.now();
    const id = idOf(one);
    const resource = { versionId: undefined, lastUpdated: undefined, content: api, deleted: false };
    const { status } = await fetch(`${server.base}/Patient/${id}`, {
      headers: { "content-type": "application/fhir+json" },
      ...(api === "delete" ? { method: "DELETE", headers: {} } : { method: "PUT", body: patientLine(id, resource) }),
    });
    expect(status, id).toBe(api === "delete" ? 204 : 201);
    seen.get(one)?.push({ ...(await observe(id)), now, ended: Date.now(), errors: [] });
  }
}

async function runStep(
  cases: readonly VersionCase[],
  step: number,
  options: { mode: "InitialLoad" | "IncrementalLoad"; negatives: boolean; declared: boolean },
): Promise<void> {
  if (cases.length === 0) return;
  const queues = cases.map((one) => {
    const now = seen.get(one)?.[0]?.now ?? Date.now();
    return {
      one,
      now,
      lines: (one.steps[step]?.lines ?? []).map((text) => patientLine(idOf(one), readShorthand(text, now))),
    };
  });
  // Lines of different rows alternate
  const written: { one: VersionCase; line: number; text: string }[] = [];
  for (let line = 0; queues.some(({ lines }) => line < lines.length); line++) {
    for (const { one, lines } of queues) {
      const text = lines[line];
      if (text !== undefined) written.push({ one, line: line + 1, text });
    }
  }
  const { mode, negatives, declared } = options;
  const name = `${mode}-${String(negatives)}-${String(declared)}-${String(step)}.ndjson`;
  const url = await server.file(name, written.map(({ text }) => `${text}\n`).join(""));
  const outcome = await server.load({ inputs: [declared ? { url, type: "Patient" } : url], mode, negatives });
  const ended = Date.now();
  expect(outcome.status, JSON.stringify(outcome.body)).toBe(200);
  const errors = await errorLog(outcome);
  const { stoker, output } = outcome.body;
  expect(output).toEqual([{ type: declared ? "Patient" : null, count: written.length - errors.length, inputUrl: url }]);
  expect(stoker.created + stoker.updated + stoker.unchanged).toBe(written.length - errors.length);

  for (const { one, now } of queues) {
    const own = errors.flatMap((error) => {
      const line = written[error.line - 1];
      return line?.one === one ? [{ line: line.line, error }] : [];
    });
    seen.get(one)?.push({ ...(await observe(idOf(one))), now, ended, errors: own });
  }
}

function idOf({ row, variant }: VersionCase): string {
  return `${row.slice(0, 5).toLowerCase()}${variant ?? ""}`;
}

async function observe(id: string): Promise<Pick<Seen, "history" | "read" | "found">> {
  const answer = await server.get(`Patient/${id}/_history`);
  // 404: nothing of it was ever stored
  const bundle: Json = answer.status === 404 ? { total: 0, entry: [] } : await answer.json();
  expect(bundle.total).toBe(bundle.entry.length);
  const history: SeenVersion[] = [];
  for (const { resource, request, response } of bundle.entry) {
    const versionId = /^W\/"(-?\d+)"$/.exec(response.etag)?.[1] ?? "";
    const lastUpdated = Date.parse(response.lastModified);
    const version = await server.get(`Patient/${id}/_history/${versionId}`);
    const body: Json = await version.json();
    if (request.method === "DELETE") {
      expect([version.status, response.status, resource], `${id} v${versionId}`).toEqual([410, "204", undefined]);
    } else {
      const status = versionId === "1" ? "201 Created" : "200 OK";
      expect([version.status, request.method, response.status], `${id} v${versionId}`).toEqual([200, "PUT", status]);
      expect(resource).toEqual(body);
      expect(resource.meta.versionId).toBe(versionId);
      expect(Date.parse(resource.meta.lastUpdated)).toBe(lastUpdated);
    }
    expect(version.headers.get("etag")).toBe(`W/"${versionId}"`);
    const content = resource === undefined ? undefined : contentOf(resource.birthDate);
    history.push({ versionId, lastUpdated, content });
  }
  const read = await server.get(`Patient/${id}`);
  return {
    history,
    read: { status: read.status, etag: read.headers.get("etag"), body: await read.json() },
    found: (await server.search(`Patient?_id=${id}`)).length > 0,
  };
}

/** Searches for every content, and what the current versions say must be found. */
async function searchContents(): Promise<{ found: unknown; current: unknown }> {
  const found: Record<string, string[]> = {};
  const current: Record<string, string[]> = {};
  for (const content of "abcdef") {
    found[content] = await server.search(`Patient?birthdate=${birthDate(content)}`);
    current[content] = [...seen]
      .filter(([, steps]) => currentOf(steps.at(-1)?.history ?? [])?.content === content)
      .map(([one]) => `Patient/${idOf(one)}`)
      .toSorted();
  }
  return { found, current };
}

/** The version with the greatest positive number; negative ones are never current. */
function currentOf(history: readonly SeenVersion[]): SeenVersion | undefined {
  return history
    .filter(({ versionId }) => Number(versionId) > 0)
    .reduce<SeenVersion | undefined>(
      (best, one) => (Number(one.versionId) > Number(best?.versionId ?? 0) ? one : best),
      undefined,
    );
}

describe.each(CASES)("$row $title", (one) => {
  test.each(one.steps.map((step, index) => ({ number: index + 1, step })))("step $number", ({ number, step }) => {
    const after = seen.get(one)?.[number - 1];
    if (after === undefined) throw new Error("the step did not run");
    const { now, ended, history, read, found, errors } = after;

    const expectedErrors = [
      ...(step.dup ?? []).map((line) => ({ line, code: "duplicate", text: "Failed to import duplicate resource" })),
      ...(step.conflict ?? []).map((line) => ({
        line,
        code: "conflict",
        text: "Failed to import resource with version conflict",
      })),
    ].toSorted((a, b) => a.line - b.line);
    expect(errors.map(({ line, error }) => ({ line, code: error.code, text: error.text }))).toEqual(
      expectedErrors.map(({ line, code, text }, index) => ({
        line,
        code,
        text: `${text}, resource id: ${idOf(one)}, line: ${String(errors[index]?.error.line)}`,
      })),
    );

    const expected = step.history.map((text) => readShorthand(text, now));
    expect(
      history.map((version, index) =>
        expected[index]?.lastUpdated === "server" && version.lastUpdated >= opened && version.lastUpdated <= ended
          ? { ...version, lastUpdated: "server" }
          : version,
      ),
    ).toEqual(
      expected.map(({ versionId, lastUpdated, content, deleted }) => ({
        versionId,
        lastUpdated,
        content: deleted ? undefined : content,
      })),
    );

    const current = currentOf(history);
    expect(found).toBe(current?.content !== undefined);
    expect(read.status).toBe(current === undefined ? 404 : current.content === undefined ? 410 : 200);
    if (current !== undefined) expect(read.etag).toBe(`W/"${current.versionId}"`);
    if (read.status === 200) {
      expect(read.body.meta.versionId).toBe(current?.versionId);
      expect(contentOf(read.body.birthDate)).toBe(current?.content);
    }
  });
});

test("5.4, 5.6: after every step a search finds current versions only, and all of them", () => {
  expect(searches.length).toBeGreaterThan(2);
  for (const { found, current } of searches) expect(found).toEqual(current);
});

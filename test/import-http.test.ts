import type { PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { idOf, input, openImportServer, registration, type ImportServer } from "./support/import-server.ts";

let server: ImportServer;

beforeAll(async () => {
  server = await openImportServer();
});

afterAll(async () => {
  await server.close();
});

describe("the HTTP application", () => {
  it("is alive and ready, and has metrics and a page", async () => {
    expect((await fetch(`${server.origin}/health/live`)).status).toBe(200);
    expect(await (await fetch(`${server.origin}/health/ready`)).json()).toEqual({ status: "ready" });
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    expect(metrics).toContain('stoker_import_lines_total{outcome="loaded"} 0');
    expect(metrics).toMatch(/^stoker_import_oldest_age_seconds 0$/m);
    expect(metrics).toContain('stoker_http_request_duration_seconds_count{method="GET",route="/health/live"');
    const page = await fetch(server.origin);
    expect(await page.text()).toContain("<title>Stoker</title>");
    expect(page.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; /,
    );
  });

  it.each(["/", "/health/live", "/metrics", "/nothing", "/fhir/metadata", "/fhir/Patient/none", "/fhir/%E0%A4%A"])(
    "%s is not to be taken for anything else than its type says",
    async (path) => {
      expect((await fetch(server.origin + path)).headers.get("x-content-type-options")).toBe("nosniff");
    },
  );

  it("is ready while all connections of the pool are at work", async () => {
    const asked: Promise<PoolClient>[] = [];
    while (server.pool.waitingCount === 0) asked.push(server.pool.connect());
    try {
      const answer = await fetch(`${server.origin}/health/ready`);
      expect([answer.status, await answer.json()]).toEqual([200, { status: "ready" }]);
    } finally {
      await Promise.all(asked.map(async (client) => (await client).release()));
    }
  });

  it("says what it can do", async () => {
    const answer = await fetch(`${server.base}/metadata`);
    expect(answer.headers.get("content-type")).toBe("application/fhir+json; charset=utf-8");
    const statement = (await answer.json()) as { fhirVersion: string; rest: { resource: { type: string }[] }[] };
    expect(statement.fhirVersion).toBe("4.0.1");
    expect(statement.rest[0]?.resource.find((resource) => resource.type === "Patient")).toMatchObject({
      searchParam: expect.arrayContaining([expect.objectContaining({ name: "birthdate", type: "date" })]) as unknown,
    });
  });

  it.each([
    ["GET", "/nothing-here", 404],
    ["PATCH", "/metadata", 405],
    ["GET", "/%E0%A4%A", 400],
  ])("%s %s is %i as an OperationOutcome", async (method, path, status) => {
    const answer = await fetch(`${server.base}${path}`, { method });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/fhir+json; charset=utf-8");
    const outcome = (await answer.json()) as { resourceType: string; id: string };
    expect(outcome.resourceType).toBe("OperationOutcome");
    expect(outcome.id).toBe(answer.headers.get("x-request-id"));
  });

  it("406 for XML, 415 for an XML body", async () => {
    const headers = { accept: "application/fhir+xml" };
    expect((await fetch(`${server.base}/metadata`, { headers })).status).toBe(406);
    expect((await fetch(`${server.base}/metadata?_format=json`, { headers })).status).toBe(200);
    const body = await fetch(`${server.base}/Patient/_search`, {
      method: "POST",
      headers: { "content-type": "application/fhir+xml" },
      body: "<Patient/>",
    });
    expect(body.status).toBe(415);
  });

  it("ends although a client does not read its answer", async () => {
    const unread = await openImportServer({ coordinate: false });
    const id = idOf(await unread.register(registration([input(await unread.file("a.ndjson", ""))])));
    await unread.pool.query(
      "insert into import_unit (job, input, start_offset, end_offset, rejected) values ($1, 1, 0, 0, 1)",
      [id],
    );
    await unread.pool.query(
      `insert into import_rejected_line (unit, byte_offset, line, length, code, message)
       select id, n, n, 1, 'invalid', repeat('x', 1000) from import_unit, generate_series(1, 20000) n`,
    );
    const answer = await fetch(`${unread.base}/_operations/import/${id}/errors`);
    await unread.close();
    await expect(answer.text()).rejects.toThrow();
  });

  it("hides internal errors", async () => {
    const broken = await openImportServer({ coordinate: false });
    try {
      await broken.pool.query("alter table import_job rename to secret_table");
      const answer = await broken.status("1");
      expect(answer.status).toBe(500);
      const text = await answer.text();
      expect(text).not.toMatch(/import_job|secret_table|relation/);
      expect(JSON.parse(text)).toMatchObject({
        id: answer.headers.get("x-request-id"),
        issue: [{ code: "exception" }],
      });
    } finally {
      await broken.close();
    }
  });
});

describe("the initial-import lock (7.3, D-13)", () => {
  let locked: ImportServer;

  beforeAll(async () => {
    locked = await openImportServer({ facts: { initialImportMode: true } });
  });

  afterAll(async () => {
    await locked.close();
  });

  it.each([
    ["PUT", "/Patient/x"],
    ["POST", "/Patient"],
    ["POST", ""],
    ["PATCH", "/Patient/x"],
    ["DELETE", "/Patient/x"],
    ["GET", "/$reindex"],
    ["POST", "/nothing"],
    ["POST", "/Patient/"],
  ])("locks %s %s", async (method, path) => {
    const body = method === "GET" || method === "DELETE" ? {} : { body: "{}" };
    const headers = { "content-type": "application/fhir+json" };
    const answer = await fetch(`${locked.base}${path}`, { method, headers, ...body });
    expect(answer.status).toBe(423);
    expect(await answer.json()).toMatchObject({
      resourceType: "OperationOutcome",
      issue: [
        {
          severity: "error",
          code: "processing",
          diagnostics: "import operation failed for reason: Service is locked for initial import mode.",
        },
      ],
    });
  });

  it.each([
    ["GET", "/metadata"],
    ["HEAD", "/metadata"],
    ["OPTIONS", "/metadata"],
    ["POST", "/Patient/_search"],
    ["DELETE", "/_operations/import/1"],
    ["DELETE", "/_operations/export/1"],
    ["POST", "/$import"],
    ["POST", "/%24import"],
    ["POST", "/$import/"],
  ])("does not lock %s %s", async (method, path) => {
    const answer = await fetch(`${locked.base}${path}`, { method });
    expect(answer.status).not.toBe(423);
    await answer.arrayBuffer();
  });

  it("lets InitialLoad in without force, and IncrementalLoad, too", async () => {
    const url = await locked.file("a.ndjson", "");
    for (const valueString of ["InitialLoad", "IncrementalLoad"]) {
      const answer = await locked.register(registration([input(url)], [{ name: "mode", valueString }]));
      expect(answer.status).toBe(202);
      expect(idOf(answer)).not.toBe("");
    }
  });

  it("is not active when imports are disabled; R-003", async () => {
    const disabled = await openImportServer({ facts: { initialImportMode: true, importEnabled: false } });
    try {
      expect((await fetch(`${disabled.base}/Patient/x`, { method: "DELETE" })).status).not.toBe(423);
      const answer = await disabled.register("");
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain('The requested \\"import\\" operation is not enabled');
    } finally {
      await disabled.close();
    }
  });
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAzurite, type Azurite } from "../support/azurite.ts";
import { openFullServer, readErrorLog, type FullServer, type Json, type Outcome } from "../support/full-server.ts";

/** The main rows against a storage account: a real Azurite, given by connection string. */

let azurite: Azurite;
let server: FullServer;
beforeAll(async () => {
  azurite = await openAzurite();
  server = await openFullServer({ connectionString: azurite.connectionString });
});
afterAll(async () => {
  await server?.close();
  await azurite?.close();
});

const patient = (id: string): string => `${JSON.stringify({ resourceType: "Patient", id })}\n`;

/** Fetches a blob as a client with a shared access signature does. */
async function fetchBlob(url: string): Promise<string> {
  const { container, name } = placeOf(url);
  const { BlobSASPermissions } = await import("@azure/storage-blob");
  const signed = await azurite.client
    .getContainerClient(container)
    .getBlobClient(name)
    .generateSasUrl({ permissions: BlobSASPermissions.parse("r"), expiresOn: new Date(Date.now() + 3_600_000) });
  const response = await fetch(signed);
  expect(response.status).toBe(200);
  return await response.text();
}

function placeOf(url: string): { container: string; name: string } {
  expect(url.startsWith(`${azurite.blobEndpoint}/`)).toBe(true);
  const [container = "", name = ""] = url.slice(azurite.blobEndpoint.length + 1).split("/");
  return { container, name };
}

describe("good and bad lines", () => {
  let outcome: Outcome;
  let good: { url: string; etag: string };
  let bad: { url: string; etag: string };
  beforeAll(async () => {
    good = await azurite.upload("input", "good.ndjson", `${patient("az1")}${patient("az2")}`);
    bad = await azurite.upload(
      "input",
      "bad.ndjson",
      `${patient("az3")}\n${patient("az4")}invalid-row\n${patient("az5_")}`,
    );
    outcome = await server.load({ inputs: [{ ...good, type: "Patient" }, bad.url] });
  });

  test("C-001: loaded and found", async () => {
    expect(outcome.status).toBe(200);
    expect(outcome.body.output).toEqual([
      { type: "Patient", count: 2, inputUrl: good.url },
      { type: null, count: 2, inputUrl: bad.url },
    ]);
    expect(await server.search("Patient?_id=az1,az2,az3,az4")).toHaveLength(4);
  });

  test("6.1, 6.2, C-007, D-06: the error log is a blob of the default container, one for each input", async () => {
    const jobId = /\d+$/.exec(outcome.location)?.[0] ?? "";
    expect(outcome.body.error).toHaveLength(1);
    const [error] = outcome.body.error;
    expect(error).toMatchObject({ type: "OperationOutcome", count: 2, inputUrl: bad.url });
    const { container, name } = placeOf(error.url);
    expect(container).toBe("fhirlogs");
    expect(name).toMatch(new RegExp(`^${jobId}_\\d+\\.ndjson$`));
    const log = readErrorLog(await fetchBlob(error.url));
    expect(log.map(({ line, code }) => ({ line, code }))).toEqual([
      { line: 4, code: "structure" },
      { line: 5, code: "value" },
    ]);
    expect(log[0]?.text).toMatch(/^Invalid Json encountered\. Details: /);
    expect(await azurite.list("fhirlogs")).toHaveLength(2);
  });

  test("D-19: the rejected lines", async () => {
    const [error] = outcome.body.error;
    expect(await fetchBlob(error.rejectedUrl)).toBe(`invalid-row\n${patient("az5_")}`);
    // As they are, they can be imported again
    const { container, name } = placeOf(error.rejectedUrl);
    await azurite.upload(container, name, patient("az5"));
    const again = await server.load({ inputs: [error.rejectedUrl] });
    expect(again.body).toMatchObject({ output: [{ count: 1 }], error: [] });
  });

  test("D-06: the server's own link leads to the blob", async () => {
    const { name } = placeOf(outcome.body.error[0].url);
    const response = await fetch(`${outcome.location}/errors/${name}`, { redirect: "manual" });
    expect(response.status).toBe(302);
    expect(response.headers.get("location")).toBe(outcome.body.error[0].url);
  });
});

test("C-039, 6.1: errorContainerName and a declared type", async () => {
  const { url } = await azurite.upload("input", "c039.ndjson", `${patient("under_score")}${patient("c039")}`);
  const outcome = await server.load({ inputs: [{ url, type: "Patient" }], errorContainer: "my-errors-1" });
  expect(outcome.body.output).toEqual([{ type: "Patient", count: 1, inputUrl: url }]);
  const { container, name } = placeOf(outcome.body.error[0].url);
  expect(container).toBe("my-errors-1");
  expect(name).toMatch(/^Patient\d+_\d+\.ndjson$/);
  const log = readErrorLog(await fetchBlob(outcome.body.error[0].url));
  expect(log).toMatchObject([{ line: 1, offset: 0, expression: "Patient.id" }]);
  expect(log[0]?.text).toMatch(/^Invalid resource id: 'under_score'\. /);
  // The causes are in the status, too: the log may be where its reader cannot go.
  expect(outcome.body.stoker.causes).toMatchObject([
    { text: expect.stringMatching(/^Invalid resource id: 1 to 64 characters/), count: 1 },
  ]);
});

test("L-003: no errors: an empty container, no blob", async () => {
  const { url } = await azurite.upload("input", "l003.ndjson", patient("l003"));
  const outcome = await server.load({ inputs: [{ url, type: "Patient" }], errorContainer: "l003-errors" });
  expect(outcome.body.error).toEqual([]);
  expect(await azurite.list("l003-errors")).toEqual([]);
});

test("7.2: a bad errorContainerName", async () => {
  const { url } = await azurite.upload("input", "container.ndjson", patient("container"));
  const { status, body } = await server.load({ inputs: [url], errorContainer: "Bad--Name" });
  expect(status).toBe(400);
  expect(body.issue[0].diagnostics).toMatch(
    /^import operation failed for reason: Error container name contains invalid /,
  );
  expect(body.issue[0].diagnostics).toMatch(new RegExp(`hyphens\\. ErrorFile: ${url}$`));
});

test("1.7, 7.1, R-022, R-024: an etag that does not match", async () => {
  const { url, etag } = await azurite.upload("input", "etag.ndjson", patient("etag"));
  const bad = await server.load({ inputs: [{ url, etag: '"0x123"' }] });
  expect(bad.status).toBe(400);
  expect(bad.body.issue[0]).toMatchObject({
    severity: "error",
    code: "processing",
    diagnostics: `import operation failed for reason: Input file Etag not match. ${url}`,
  });
  expect((await server.get("Patient/etag")).status).toBe(404);
  const again = await server.load({ inputs: [{ url, etag: '"0x123"' }] });
  expect([again.status, again.location]).toEqual([400, bad.location]);

  const good = await server.load({ inputs: [{ url, etag }] });
  expect(good.status).toBe(200);
  expect(good.location).not.toBe(bad.location);
  const bare = await server.load({ inputs: [{ url, etag: etag.replaceAll('"', "") }] });
  expect(bare.body).toMatchObject({ output: [{ count: 1 }], stoker: { unchanged: 1 } });
});

test("7.1: a missing blob", async () => {
  await azurite.upload("input", "some.ndjson", "");
  const url = `${azurite.blobEndpoint}/input/missing.ndjson`;
  const { status, body } = await server.load({ inputs: [url] });
  expect(status).toBe(404);
  expect(body.issue[0].code).toBe("processing");
  const text = `import operation failed for reason: The specified blob does not exist. ${url}`;
  expect(body.issue[0].diagnostics).toBe(text);
});

test("R-012: another account", async () => {
  const response = await server.register({ inputs: ["https://other.blob.core.windows.net/input/x.ndjson"] });
  expect(response.status).toBe(400);
});

test("D-18: a signed URL is the same input, and the signature is not shown", async () => {
  const { url } = await azurite.upload("input", "sas.ndjson", `${patient("sas")}oops\n`);
  const first = await server.load({ inputs: [`${url}?sv=2022-11-02&sr=b&sp=r&sig=SECRET1`] });
  expect(first.status).toBe(200);
  expect(JSON.stringify(first.body)).not.toContain("SECRET");
  expect(first.body.output).toEqual([{ type: null, count: 1, inputUrl: url }]);
  const second = await server.load({ inputs: [`${url}?sv=2022-11-02&sr=b&sp=r&sig=SECRET2`] });
  expect(second.location).toBe(first.location);
});

test("C-003, C-020, R-030: a large blob in several units", async () => {
  const lines: string[] = [];
  for (let n = 0; n < 300; n++) {
    const language = n % 100 === 50 ? 43 : "en";
    lines.push(
      JSON.stringify({ resourceType: "Patient", id: `unit-${String(n)}`, language, implicitRules: "é".repeat(n) }),
    );
  }
  const { url } = await azurite.upload("input", "units.ndjson", lines.map((line) => `${line}\r\n`).join(""));
  const outcome = await server.load({ inputs: [url], unitBytes: 7001 });
  expect(outcome.body.output).toEqual([{ type: null, count: 297, inputUrl: url }]);
  const log = readErrorLog(await fetchBlob(outcome.body.error[0].url));
  expect(log.map(({ line }) => line)).toEqual([51, 151, 251]);
  const detailed: Json = await server.json(`${outcome.location}?_details=true`);
  expect(detailed.output.length).toBeGreaterThan(10);
  expect(detailed.output.reduce((sum: number, entry: Json) => sum + entry.count, 0)).toBe(297);
});

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { runExportCommand, type ExportReport } from "./run-export.ts";

/** Servers other than Stoker: without ETags and counts, with files elsewhere, busy, with errors of their own. */

let server: Server;
let elsewhere: Server;
let base: string;
let other: string;
let folder: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
/** What the files' own server was asked. */
let asked: IncomingMessage[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "stoker-export-"));
  server = createServer((request, response) => answer(request, response));
  elsewhere = createServer((request, response) => {
    asked.push(request);
    response.end('{"resourceType":"Patient","id":"1"}\n{"resourceType":"Patient","id":"2"}');
  });
  for (const each of [server, elsewhere]) await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/r4`;
  other = `http://127.0.0.1:${String((elsewhere.address() as AddressInfo).port)}/bucket/x?signature=1`;
});
beforeEach(() => {
  asked = [];
});
afterAll(() => {
  server.close();
  elsewhere.close();
  rmSync(folder, { recursive: true, force: true });
});

let folders = 0;

async function exported(): Promise<ExportReport> {
  return await runExportCommand({
    server: { baseUrl: base, token: "secret" },
    order: { types: [], since: undefined },
    out: join(folder, String(++folders)),
    keep: true,
    display: undefined,
    signal: new AbortController().signal,
  });
}

/** A server with this manifest. */
function serving(manifest: object, files: Readonly<Record<string, string>> = {}): typeof answer {
  return ({ url = "", headers }, response) => {
    if (headers.authorization !== "Bearer secret") response.writeHead(401).end();
    else if (url.endsWith("/$export")) response.writeHead(202, { "content-location": `${base}/status` }).end();
    else if (url.endsWith("/status"))
      response.end(JSON.stringify({ transactionTime: "2026-01-01T00:00:00Z", ...manifest }));
    else response.end(files[url] ?? "");
  };
}

it("files of another origin are fetched without the token; the last line needs no end, a count need not be there", async () => {
  answer = serving(
    {
      output: [
        { type: "Patient", url: other, count: 2 },
        { type: "Patient", url: "file-b" },
      ],
    },
    { "/r4/file-b": "{}\n" },
  );
  const { files, problems, folder: path } = await exported();
  expect(problems).toEqual([]);
  expect(files.map(({ name, lines, count }) => [name, lines, count])).toEqual([
    ["Patient-1.ndjson", 2, 2],
    ["Patient-2.ndjson", 1, undefined],
  ]);
  expect(asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  expect(readFileSync(join(path, "Patient-1.ndjson"), "utf8")).toContain('"id":"2"');
});

it("a count that is not true, and errors of the server, are problems", async () => {
  answer = serving(
    { output: [{ type: "../x", url: other, count: 3 }], error: [{ type: "OperationOutcome", url: "errors" }] },
    { "/r4/errors": '{"resourceType":"OperationOutcome"}\n' },
  );
  const { files, problems } = await exported();
  expect(files.map(({ name }) => name)).toEqual(["Resource-1.ndjson", "error-OperationOutcome-1.ndjson"]);
  expect(problems).toEqual([
    "Resource-1.ndjson has 2 lines, but the manifest says 3.",
    "The server reports problems in error-OperationOutcome-1.ndjson.",
  ]);
});

it("a busy server is asked again when it says", async () => {
  let refusals = 0;
  const ready = serving({ output: [] });
  answer = (request, response) => {
    if (++refusals <= 3) response.writeHead(refusals === 2 ? 503 : 429, { "retry-after": "0" }).end();
    else ready(request, response);
  };
  expect((await exported()).files).toEqual([]);
  expect(refusals).toBe(5);
});

it.each([
  [{ output: "none" }, "The server's answer is not the manifest of a Bulk Data export."],
  [{ output: [{ type: "Patient" }] }, "The server's answer is not the manifest of a Bulk Data export."],
])("%j is not a manifest", async (manifest, text) => {
  answer = serving(manifest);
  await expect(exported()).rejects.toThrow(text);
});

it("a refusal is told in the server's words", async () => {
  answer = (_request, response) => {
    const issue = [{ severity: "error", code: "forbidden", diagnostics: "You may not." }];
    response.writeHead(403).end(JSON.stringify({ resourceType: "OperationOutcome", issue }));
  };
  await expect(exported()).rejects.toThrow("You may not.");
});

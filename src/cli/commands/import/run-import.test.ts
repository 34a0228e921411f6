import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { runImportCommand } from "./run-import.ts";

const COMPLETED = JSON.stringify({
  transactionTime: "",
  output: [{ type: "Patient", count: 1, inputUrl: "x" }],
  error: [],
});

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
});

/** An HTTP server; a later one may listen on the port of an earlier one. */
async function listen(port: number, answer: RequestListener): Promise<number> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Takes a registration, and ends with the next request. */
function goesAway(onGone: () => void): RequestListener {
  return (request, response) => {
    if (request.method === "POST") {
      response.writeHead(202, {
        "content-location": `http://${request.headers.host ?? ""}/fhir/_operations/import/17`,
      });
      response.end();
      return;
    }
    request.socket.destroy();
    server?.close(onGone);
    server?.closeAllConnections();
  };
}

const isBack: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(COMPLETED);
};

function follow(port: number, patienceMs: number, told: string[]): ReturnType<typeof runImportCommand> {
  return runImportCommand({
    server: { baseUrl: `http://127.0.0.1:${port}/fhir`, token: undefined },
    order: { inputs: [{ url: "x", type: undefined }], mode: "IncrementalLoad", allowNegativeVersions: false },
    knownBytes: 0,
    display: { show: () => {}, tell: (text) => told.push(text), end: () => {} },
    logFolder: undefined,
    pollMs: 10,
    patienceMs,
    signal: new AbortController().signal,
  });
}

describe("an import whose server goes away", () => {
  it("says so, and after a while gives up with how to find the import again", async () => {
    const told: string[] = [];
    const port = await listen(
      0,
      goesAway(() => {}),
    );
    await expect(follow(port, 1500, told)).rejects.toMatchObject({
      code: "database-unavailable",
      message: expect.stringMatching(
        new RegExp(
          `^No server has answered at http://127.0.0.1:${port}/fhir for \\d\\.\\d s\\. Import 17 is not lost: it continues when the server runs again\\. To look at it then: stoker jobs --server http://127.0.0.1:${port}/fhir$`,
        ),
      ) as string,
    });
    expect(told[0]).toMatch(new RegExp(`^no answer from http://127.0.0.1:${port}/fhir: trying again for 1\\.\\d s$`));
  });

  it("is followed to its end when the server is back", async () => {
    const told: string[] = [];
    let port = 0;
    port = await listen(
      0,
      goesAway(() => void listen(port, isBack)),
    );
    expect(await follow(port, 30_000, told)).toMatchObject({
      kind: "completed",
      id: "17",
      report: { rows: [{ label: "Patient", loaded: 1, rejected: 0 }] },
    });
    expect(told.at(-1)).toBe(`http://127.0.0.1:${port}/fhir answers again`);
  });
});

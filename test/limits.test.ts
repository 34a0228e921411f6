import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorLog, openFullServer, type FullServer, type Json } from "./support/full-server.ts";

/** The limits of the contract, in a size for every day; `bench/limits.ts` has them in full. */

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(async () => {
  await server?.close();
});

describe("inputs of one request", () => {
  test("D-09: 10,001 are refused", async () => {
    const response = await server.register({ inputs: missing(10_001) });
    expect(response.status).toBe(400);
    const body = (await response.json()) as Json;
    expect(body.issue).toEqual([
      { severity: "error", code: "invalid", diagnostics: "Number of input files must not exceed 10000." },
    ]);
  });

  test("D-09: 10,000 are registered; that the first of them is missing is told by the status", async () => {
    const { status, body } = await server.load({ inputs: missing(10_000) });
    expect(status).toBe(404);
    expect(body.issue[0].diagnostics).toContain(`The specified file does not exist. ${missing(1)[0] ?? ""}`);
  });
});

describe("many tiny files", () => {
  const FILES = 2_000;
  /** Every so many files, one with a second line that is no JSON. */
  const BROKEN_EVERY = 100;
  /** And one that says once more what the first file says: one of the two is rejected. */
  const COUNTS = { loaded: FILES, created: FILES, unchanged: 0, rejected: FILES / BROKEN_EVERY + 1 };

  test("each input has its own counts and its own error log", async () => {
    await mkdir(join(server.folder, "tiny"));
    const inputs: string[] = [];
    for (let number = 0; number < FILES; number++) {
      const more = number % BROKEN_EVERY === 7 ? "\n{ broken\n" : "";
      inputs.push(await server.file(`tiny/${String(number)}.ndjson`, patient(number) + more));
    }
    inputs.push(await server.file("tiny/again.ndjson", patient(0)));
    const outcome = await server.load({ inputs });
    expect(outcome.status).toBe(200);
    expect(outcome.body.stoker).toMatchObject(COUNTS);
    const [loser] = outcome.body.error
      .map((entry: Json) => entry.inputUrl)
      .filter((url: string) => url === inputs[0] || url === inputs[FILES]);
    expect(outcome.body.output).toEqual(
      inputs.map((inputUrl) => ({ type: null, count: inputUrl === loser ? 0 : 1, inputUrl })),
    );
    expect((await errorLog(outcome, loser)).map(({ line, code }) => [line, code])).toEqual([[1, "duplicate"]]);
    const broken = inputs.filter((_, number) => number < FILES && number % BROKEN_EVERY === 7);
    const logged = outcome.body.error.map((entry: Json) => entry.inputUrl).filter((url: string) => url !== loser);
    expect(logged).toEqual(broken);
    for (const url of broken) {
      const log = await errorLog(outcome, url);
      expect(log.map(({ line, code }) => [line, code])).toEqual([[3, "structure"]]);
    }
    expect((await server.json("Patient?_summary=count")).total).toBe(FILES);
    expect(await server.search("Patient?_id=tiny-0,tiny-7,tiny-1999")).toHaveLength(3);
  });
});

describe("many wrong lines", () => {
  const LINES = 20_000;

  test("the error log has every one of them once, in order", async () => {
    const line = `{"resourceType":"Patient","id":"x y"}\n`;
    const url = await server.file("wrong.ndjson", line.repeat(LINES));
    const outcome = await server.load({ inputs: [url], unitBytes: 100_000 });
    expect([outcome.status, outcome.body.stoker.loaded, outcome.body.stoker.rejected]).toEqual([200, 0, LINES]);
    const log = await errorLog(outcome);
    expect(log.map((entry) => entry.line)).toEqual(Array.from({ length: LINES }, (_, index) => index + 1));
    expect(log.map((entry) => entry.offset)).toEqual(Array.from({ length: LINES }, (_, index) => index * line.length));
  });
});

/** URLs of files that are not there. */
function missing(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `file://${server.folder}/missing-${String(index)}.ndjson`);
}

function patient(number: number): string {
  return `{"resourceType":"Patient","id":"tiny-${String(number)}"}\n`;
}

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { harmOf, openCappedServer, type CappedServer } from "../support/capped-server.ts";

/** Attacks by the number of requests, of cheap ones included, against a server of 1 GB. */

let server: CappedServer;
beforeAll(async () => {
  server = await openCappedServer();
});
afterAll(async () => {
  await server?.close();
});

describe("a server of 1 GB", () => {
  test("answers 200 reads of the capabilities", async () => {
    const worst = await server.during(async () => {
      for (let round = 0; round < 2; round++) {
        const answers = Array.from({ length: 100 }, async () => {
          const response = await fetch(`${server.base}/metadata`);
          await response.arrayBuffer();
          return response.status;
        });
        expect(new Set(await Promise.all(answers))).toEqual(new Set([200]));
      }
    });
    expect(harmOf(worst)).toEqual([]);
  });
});

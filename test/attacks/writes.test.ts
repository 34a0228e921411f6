import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { harmOf, openCappedServer, type CappedServer } from "../support/capped-server.ts";
import { openConnections, requestOf, type Connections } from "./connections.ts";

/** Attacks on the writers of a server of 1 GB: others must not wait for them, and their work ends with their connection. */

/** As long as a small write of another client may take beside an attack, in milliseconds … */
const SHARE_MS = 3000;
/** … or so many times as long as alone, on a machine that is busy with something else. */
const SHARE_TIMES = 30;

let server: CappedServer;
let connections: Connections;
beforeAll(async () => {
  server = await openCappedServer();
  connections = openConnections(server);
});
afterAll(async () => {
  await connections.close();
  await server?.close();
});

function patient(id: string): object {
  return { resourceType: "Patient", id, identifier: [{ system: "urn:s", value: id }] };
}

function bundle(entry: readonly object[], type = "batch"): Buffer {
  return requestOf("POST", "/fhir", JSON.stringify({ resourceType: "Bundle", type, entry }));
}

/** The longest of some writes by another client, in milliseconds; `between` is called before each. */
async function slowestWrite(rounds: number, between?: (round: number) => Promise<void>): Promise<number> {
  let slowest = 0;
  for (let round = 0; round < rounds; round++) {
    await between?.(round);
    const begun = performance.now();
    const response = await fetch(`${server.base}/Patient/victim-${round}`, {
      method: "PUT",
      headers: { "content-type": "application/fhir+json" },
      body: JSON.stringify(patient(`victim-${round}`)),
    });
    await response.arrayBuffer();
    expect([200, 201]).toContain(response.status);
    slowest = Math.max(slowest, performance.now() - begun);
    await sleep(50);
  }
  return slowest;
}

/** Expects that others go on writing beside clients that send this, and that may go away in between. */
async function expectFair(attack: readonly Buffer[], { leaves = false } = {}): Promise<void> {
  const alone = await slowestWrite(5);
  let slowest = 0;
  const worst = await server.during(async () => {
    for (const bytes of attack) connections.open(bytes, { reads: true });
    await sleep(500);
    slowest = await slowestWrite(20, async (round) => {
      if (leaves && round === 5) await connections.close();
    });
    await connections.close();
  });
  expect(harmOf(worst)).toEqual([]);
  expect(slowest).toBeLessThan(Math.max(SHARE_MS, SHARE_TIMES * alone));
}

describe("a client that writes without an end does not keep others waiting", () => {
  test("by 3,000 PUTs of one resource in a batch", async () => {
    const entry = Array.from({ length: 3000 }, () => ({
      request: { method: "PUT", url: "Patient/hot" },
      resource: patient("hot"),
    }));
    await expectFair([bundle(entry)]);
  });

  test("by 50,000 DELETEs of one id, whose work ends with its connection", async () => {
    const entry = Array.from({ length: 50_000 }, () => ({ request: { method: "DELETE", url: "Patient/hot" } }));
    await expectFair([bundle(entry)], { leaves: true });
    expect(await isAtWork()).toBe(false);
  });

  test("by 400 connections that PUT one resource, and 400 that patch it", async () => {
    const put = requestOf("PUT", "/fhir/Patient/hot", JSON.stringify(patient("hot")));
    const patch = requestOf(
      "PATCH",
      "/fhir/Patient/hot",
      JSON.stringify([{ op: "add", path: "/active", value: true }]),
      {
        "content-type": "application/json-patch+json",
      },
    );
    await expectFair(Array.from({ length: 800 }, (_, index) => (index % 2 === 0 ? put : patch)));
  });

  test("by 20,000 different resources in one batch, and as many in a transaction", async () => {
    const entry = Array.from({ length: 20_000 }, (_, index) => ({
      request: { method: "PUT", url: `Patient/many-${index}` },
      resource: patient(`many-${index}`),
    }));
    await expectFair([bundle(entry), bundle(entry, "transaction")]);
  });

  test("by 5,000 conditional creates in a batch, whose work ends with its connection", async () => {
    const entry = Array.from({ length: 5000 }, (_, index) => ({
      request: { method: "POST", url: "Patient", ifNoneExist: `identifier=urn:s|none-${index}&name:contains=x` },
      resource: { resourceType: "Patient" },
    }));
    await expectFair([bundle(entry)], { leaves: true });
    expect(await isAtWork()).toBe(false);
  });

  test("by 300 erasures of one resource", async () => {
    const erase = requestOf("DELETE", "/fhir/Patient/hot?hardDelete=true");
    await expectFair(Array.from({ length: 300 }, () => erase));
  });
});

/** Whether something is still written when nobody asks for it. */
async function isAtWork(): Promise<boolean> {
  await sleep(500);
  const metrics = await (await fetch(`${server.origin}/metrics`)).text();
  return /^stoker_writes_waiting (\d+)$/m.exec(metrics)?.[1] !== "0";
}

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openWriteServer, type Answer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openWriteServer({ conditionalDeletes: 3 });
});
afterAll(() => server.close());

let system = 0;

/** Stores so many patients with an identifier of their own system; gives the criteria that find them. */
async function stored(count: number): Promise<string> {
  const identifier = [{ system: `urn:s${++system}`, value: "1" }];
  for (let at = 0; at < count; at++) {
    const { status } = await server.send("PUT", `/Patient/s${system}-${at}`, {
      resourceType: "Patient",
      id: `s${system}-${at}`,
      identifier,
    });
    expect(status).toBe(201);
  }
  return `identifier=urn:s${system}|1`;
}

async function left(criteria: string): Promise<number> {
  return (await server.ids(`/Patient?${criteria}`)).length;
}

async function send(type: string, ...urls: string[]): Promise<Answer> {
  return await server.send("POST", "/", {
    resourceType: "Bundle",
    type,
    entry: [
      ...urls.map((url) => ({ request: { method: "DELETE", url } })),
      {
        fullUrl: "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
        resource: { resourceType: "Patient" },
        request: { method: "POST", url: "Patient" },
      },
    ],
  });
}

function statuses({ body }: Answer): string[] {
  return body.entry.map((entry: Json) => entry.response.status);
}

describe("a conditional delete that may remove several", () => {
  it("is said by the CapabilityStatement", async () => {
    const { body } = await server.send("GET", "/metadata");
    expect(body.rest[0].resource[0].conditionalDelete).toBe("multiple");
    const single = await openWriteServer({ database: server.database });
    expect((await single.send("GET", "/metadata")).body.rest[0].resource[0].conditionalDelete).toBe("single");
    await single.close();
  });

  it.each([
    [0, "No Patient matches the condition."],
    [1, undefined],
    [3, "3 resources of type Patient deleted."],
  ])("removes %i matches", async (count, said) => {
    const criteria = await stored(count);
    const told = await server.send("DELETE", `/Patient?${criteria}`, undefined, { prefer: "return=OperationOutcome" });
    expect(told.status).toBe(200);
    if (said !== undefined) expect(told.body.issue[0].diagnostics).toBe(said);
    expect(await left(criteria)).toBe(0);
    const again = await server.send("DELETE", `/Patient?${criteria}`);
    expect([again.status, again.text]).toEqual([204, ""]);
    for (let at = 0; at < count; at++) {
      expect((await server.send("GET", `/Patient/s${system}-${at}`)).status).toBe(410);
    }
  });

  it("of more than the limit removes none, and names the setting", async () => {
    const criteria = await stored(4);
    const { status, body } = await server.send("DELETE", `/Patient?${criteria}`);
    expect([status, body.issue[0].code]).toEqual([412, "multiple-matches"]);
    expect(body.issue[0].diagnostics).toBe(
      "More than 3 resources of type Patient match the condition, and a conditional delete removes at most 3 (STOKER_CONDITIONAL_DELETE_LIMIT): nothing was deleted.",
    );
    expect(await left(criteria)).toBe(4);
  });

  it("with If-Match is for one match", async () => {
    const criteria = await stored(2);
    const ifMatch = { "if-match": 'W/"1"' };
    expect((await server.send("DELETE", `/Patient?${criteria}`, undefined, ifMatch)).status).toBe(412);
    expect(await left(criteria)).toBe(2);
    const one = await stored(1);
    expect((await server.send("DELETE", `/Patient?${one}`, undefined, ifMatch)).status).toBe(204);
  });

  describe("in a Bundle", () => {
    let criteria: string;
    beforeEach(async () => {
      criteria = await stored(2);
    });
    it.each(["batch", "transaction"])("of type %s", async (type) => {
      const answer = await send(type, `Patient?${criteria}`, "Patient?identifier=urn:nothing|x");
      expect(statuses(answer)).toEqual(["204 No Content", "204 No Content", "201 Created"]);
      expect(answer.body.entry[2].response.location).toMatch(/\/Patient\/[^/]+\/_history\/1$/);
      expect(await left(criteria)).toBe(0);
    });

    it("a transaction in which another entry is about one of them writes nothing", async () => {
      const answer = await send("transaction", `Patient?${criteria}`, `Patient/s${system}-1`);
      expect([answer.status, answer.body.issue[0].expression]).toEqual([400, ["Bundle.entry[1]"]]);
      expect(await left(criteria)).toBe(2);
    });
  });
});

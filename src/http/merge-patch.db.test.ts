import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type Answer, type WriteServer } from "./testing/write-server.ts";
import { storePatient, versionOf, withoutMeta } from "./testing/patches.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

describe("JSON Merge Patch", () => {
  const MERGE_PATCH = { "content-type": "application/merge-patch+json; charset=utf-8" };
  const merge = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    server.send("PATCH", path, body, { ...MERGE_PATCH, ...headers });

  it("changes and removes elements; the rest keeps its bytes", async () => {
    const id = await storePatient(
      server,
      '"active":true,"gender":"male",  "name":[{"family" : "A"}],"maritalStatus":{"text":"x"}',
    );
    const answer = await merge(
      `/Patient/${id}`,
      '{"gender":null,"birthDate":"1990-01-01","maritalStatus":{"text":"y"}}',
    );
    expect([answer.status, answer.headers["etag"]]).toEqual([200, 'W/"2"']);
    expect(withoutMeta(answer.text)).toBe(
      `{"resourceType":"Patient","id":"${id}","active":true,  "name":[{"family" : "A"}],"maritalStatus":{"text":"y"},"birthDate":"1990-01-01"}`,
    );
    // What the elements under null leave empty is left out.
    const emptied = await merge(`/Patient/${id}`, '{"maritalStatus":{"text":null}}');
    expect([emptied.status, emptied.body.maritalStatus]).toEqual([200, undefined]);
  });

  it.each([
    ["an array", "[]", 400],
    ["nothing", undefined, 400],
    ["no JSON", "{", 400],
    ["a member twice", '{"gender":"male","gender":"female"}', 400],
    ["another id", '{"id":"other"}', 422],
    ["no id", '{"id":null}', 422],
    ["another type", '{"resourceType":"Basic"}', 422],
    ["no type", '{"resourceType":null}', 422],
    ["an unknown element", '{"shoe":1}', 422],
    ["a wrong value", '{"gender":"x"}', 422],
  ])("of %s is refused, and nothing is written", async (_name, body, status) => {
    const id = await storePatient(server);
    expect((await merge(`/Patient/${id}`, body)).status).toBe(status);
    expect(await versionOf(server, id)).toBe("1");
  });

  it("has preconditions and conditions like other patches", async () => {
    const id = await storePatient(server);
    expect((await merge(`/Patient/${id}`, '{"gender":"male"}', { "if-match": 'W/"7"' })).status).toBe(412);
    expect((await merge(`/Patient?_id=${id}`, '{"gender":"male"}', { "if-match": 'W/"1"' })).status).toBe(200);
    expect((await merge("/Patient?_id=nobody", '{"gender":"male"}')).status).toBe(404);
    expect((await merge("/Patient/nobody", '{"gender":"male"}')).status).toBe(404);
    expect(await versionOf(server, id)).toBe("2");
  });

  it.each(["batch", "transaction"])("in a %s, as a Binary", async (type) => {
    const id = await storePatient(server);
    const data = Buffer.from('{"active":null,"gender":"female"}').toString("base64");
    const { body } = await server.send("POST", "/", {
      resourceType: "Bundle",
      type,
      entry: [
        {
          resource: { resourceType: "Binary", contentType: "application/merge-patch+json", data },
          request: { method: "PATCH", url: `Patient/${id}` },
        },
      ],
    });
    expect(body.entry[0].response.status).toBe("200 OK");
    const patient = (await server.send("GET", `/Patient/${id}`)).body;
    expect([patient.gender, patient.active]).toEqual(["female", undefined]);
  });
});

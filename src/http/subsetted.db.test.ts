import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openWriteServer();
  await server.send("PUT", "/Patient/p", { resourceType: "Patient", id: "p", gender: "male", name: [{ family: "F" }] });
});
afterAll(() => server.close());

async function shortened(): Promise<Json> {
  return (await server.send("GET", "/Patient/p?_elements=gender")).body;
}

describe("a body that an answer has shortened", () => {
  it.each(["/Patient/p", "/Patient?_id=p"])("does not replace what is stored by PUT %s", async (path) => {
    const body = await shortened();
    expect(body.name).toBeUndefined();
    const refused = await server.send("PUT", path, body);
    expect([refused.status, refused.body.issue[0].code, refused.body.issue[0].expression]).toEqual([
      422,
      "business-rule",
      ["Patient.meta.tag"],
    ]);
    const entry = [{ resource: body, request: { method: "PUT", url: path.slice(1) } }];
    const bundle = await server.send("POST", "/", { resourceType: "Bundle", type: "transaction", entry });
    expect([bundle.status, bundle.body.issue[0].expression]).toEqual([422, ["Bundle.entry[0].resource.meta.tag"]]);
    expect((await server.send("GET", "/Patient/p")).headers["etag"]).toBe('W/"1"');
  });

  it("is told of a wrong If-Match first", async () => {
    const { status } = await server.send("PUT", "/Patient/p", await shortened(), { "if-match": 'W/"9"' });
    expect(status).toBe(412);
  });

  it("is taken where nothing is replaced, and without the tag", async () => {
    const body = await shortened();
    expect((await server.send("POST", "/Patient", body)).status).toBe(201);
    expect((await server.send("PUT", "/Patient/copy", { ...body, id: "copy" })).status).toBe(201);
    await server.send("DELETE", "/Patient/copy");
    expect((await server.send("PUT", "/Patient/copy", { ...body, id: "copy" })).status).toBe(201);
    const patch = [{ op: "add", path: "/active", value: true }];
    const type = { "content-type": "application/json-patch+json" };
    expect((await server.send("PATCH", "/Patient/copy", patch, type)).status).toBe(200);
    expect((await server.send("PUT", "/Patient/copy", { ...body, id: "copy", meta: {} })).status).toBe(200);
  });

  it("is a warning of $validate", async () => {
    const { body } = await server.send("POST", "/Patient/p/$validate", await shortened());
    expect(body.issue.map(({ severity }: Json) => severity)).toEqual(["information", "warning"]);
    expect(body.issue[1].expression).toEqual(["Patient.meta.tag"]);
  });
});

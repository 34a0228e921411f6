import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type Answer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

const tag = (code: string, more: object = {}): Json => ({ system: "urn:t", code, ...more });

function meta(how: string, path: string, value: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const body = { resourceType: "Parameters", parameter: [{ name: "meta", valueMeta: value }] };
  return server.send("POST", `${path}/$meta-${how}`, body, headers);
}

/** The Meta in an answer. */
function returned({ status, body, text }: Answer): Json {
  expect(status, text).toBe(200);
  expect([body.resourceType, body.parameter.length, body.parameter[0].name]).toEqual(["Parameters", 1, "return"]);
  return body.parameter[0].valueMeta;
}

describe("$meta-add and $meta-delete", () => {
  it("add and remove profiles, tags and labels; the rest keeps its bytes", async () => {
    await server.send(
      "PUT",
      "/Patient/m",
      '{"resourceType":"Patient","id":"m",  "active":true,"name":[{"family" : "A"}]}',
    );
    const added = await meta("add", "/Patient/m", {
      profile: ["http://p/1"],
      tag: [tag("a", { display: "A" }), tag("b")],
      security: [{ system: "urn:s", code: "R" }],
      versionId: "77",
    });
    expect(returned(added)).toMatchObject({
      versionId: "2",
      profile: ["http://p/1"],
      tag: [{ code: "a", display: "A" }, { code: "b" }],
      security: [{ code: "R" }],
    });
    expect(added.headers["etag"]).toBe('W/"2"');
    const { text, body } = await server.send("GET", "/Patient/m");
    expect(text).toContain(',  "active":true,"name":[{"family" : "A"}]');
    expect(returned(await server.send("GET", "/Patient/m/$meta"))).toEqual(body.meta);
    expect(await server.ids("/Patient?_tag=urn:t|a&_security=urn:s|R&_profile=http://p/1")).toEqual(["m"]);

    // The display, and what is there already, make no difference.
    const again = await meta("add", "/Patient/m", { tag: [tag("a", { display: "Z" })], profile: ["http://p/1"] });
    expect(returned(again)).toEqual(body.meta);

    const removed = await meta("delete", "/Patient/m", {
      tag: [tag("a"), tag("never")],
      security: [{ system: "urn:s", code: "R" }],
      profile: ["http://p/1"],
    });
    expect(returned(removed)).toEqual({ versionId: "3", lastUpdated: expect.any(String), tag: [tag("b")] });
    expect(returned(await meta("delete", "/Patient/m", { tag: [tag("a")] })).versionId).toBe("3");
    expect(await server.ids("/Patient?_tag=urn:t|a")).toEqual([]);
  });

  it("have preconditions; 404 and 410", async () => {
    await server.send("PUT", "/Patient/c", { resourceType: "Patient", id: "c" });
    expect((await meta("add", "/Patient/c", { tag: [tag("x")] }, { "if-match": 'W/"9"' })).status).toBe(412);
    expect((await meta("add", "/Patient/c", { tag: [tag("x")] }, { "if-match": 'W/"1"' })).status).toBe(200);
    expect((await meta("add", "/Patient/nobody", { tag: [tag("x")] })).status).toBe(404);
    expect((await meta("add", "/Shoe/1", { tag: [tag("x")] })).status).toBe(404);
    await server.send("DELETE", "/Patient/c");
    expect((await meta("add", "/Patient/c", { tag: [tag("x")] })).status).toBe(410);
    expect((await server.send("GET", "/Patient/c/$meta")).status).toBe(410);
  });

  it("at the same time all take effect", async () => {
    await server.send("PUT", "/Patient/t", { resourceType: "Patient", id: "t" });
    const codes = Array.from({ length: 12 }, (_, at) => `c${at}`);
    const answers = await Promise.all(codes.map((code) => meta("add", "/Patient/t", { tag: [tag(code)] })));
    expect(answers.map(({ status }) => status)).toEqual(codes.map(() => 200));
    const { body } = await server.send("GET", "/Patient/t");
    expect(body.meta.tag.map(({ code }: Json) => code).toSorted()).toEqual(codes.toSorted());
  });

  it.each([
    ["no body", undefined],
    ["another resource", { resourceType: "Patient" }],
    ["no parameter", { resourceType: "Parameters" }],
    ["another parameter", { resourceType: "Parameters", parameter: [{ name: "x", valueMeta: { tag: [tag("a")] } }] }],
    ["nothing to add", { resourceType: "Parameters", parameter: [{ name: "meta", valueMeta: { source: "urn:x" } }] }],
    ["no Meta", { resourceType: "Parameters", parameter: [{ name: "meta", valueMeta: { shoe: 1 } }] }],
  ])("of %s are a 400", async (_name, body) => {
    await server.send("PUT", "/Patient/b", { resourceType: "Patient", id: "b" });
    expect((await server.send("POST", "/Patient/b/$meta-add", body)).status).toBe(400);
  });
});

describe("$meta of a type and of the store", () => {
  it("lists what current resources have, each once", async () => {
    const put = async (id: string, own: object): Promise<void> => {
      const answer = await server.send("PUT", `/Basic/${id}`, {
        resourceType: "Basic",
        id,
        code: { text: id },
        meta: own,
      });
      expect(answer.status).toBe(201);
    };
    expect((await server.send("GET", "/Basic/$meta")).body).toEqual({
      resourceType: "Parameters",
      parameter: [{ name: "return" }],
    });
    await put("1", { tag: [tag("a"), tag("b")], profile: ["http://p/1"] });
    await put("2", { tag: [tag("b"), tag("c")], security: [{ system: "urn:s", code: "R" }] });
    await put("3", { tag: [tag("gone")] });
    await server.send("DELETE", "/Basic/3");
    const sets = returned(await server.send("GET", "/Basic/$meta"));
    expect(sets.tag.map(({ code }: Json) => code).toSorted()).toEqual(["a", "b", "c"]);
    expect([sets.profile, sets.security]).toEqual([["http://p/1"], [{ system: "urn:s", code: "R" }]]);
    expect(returned(await server.send("POST", "/Basic/$meta"))).toEqual(sets);
    const all = returned(await server.send("GET", "/$meta"));
    expect(all.tag.map(({ code }: Json) => code)).toEqual(expect.arrayContaining(["a", "b", "c", "c0", "c11"]));
    expect(all.tag.map(({ code }: Json) => code)).not.toContain("gone");
  });

  it.each(["/$meta?x=1", "/Basic/$meta?_count=1"])("%s is a 400", async (path) => {
    expect((await server.send("GET", path)).status).toBe(400);
  });
});

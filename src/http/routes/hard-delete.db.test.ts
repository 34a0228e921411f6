import { inflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "../testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

const SECRET = "Xylander";

async function storedTexts(): Promise<string> {
  const blocks = await server.database.pool.query<{ bytes: Buffer }>("select bytes from body_block");
  const strings = await server.database.pool.query<{ value: string }>("select value from search_string");
  return [
    ...blocks.rows.map(({ bytes }) => inflateRawSync(bytes).toString()),
    ...strings.rows.map(({ value }) => value),
  ].join();
}

it("removes head, versions, search rows and bytes, and nothing of its neighbours in the blocks", async () => {
  const entry = [1, 2, 3].map((number) => ({
    resource: {
      resourceType: "Patient",
      id: `h${number}`,
      name: [{ family: number === 2 ? SECRET : `Alder${number}` }],
    },
    request: { method: "PUT", url: `Patient/h${number}` },
  }));
  await server.send("POST", "", { resourceType: "Bundle", type: "transaction", entry });
  await server.send("PUT", "/Patient/h2", { resourceType: "Patient", id: "h2", name: [{ family: SECRET }] });
  await server.send("DELETE", "/Patient/h2");
  await server.send("PUT", "/Patient/h2", { resourceType: "Patient", id: "h2", name: [{ given: [SECRET] }] });
  const neighbours = await Promise.all(["h1", "h3"].map((id) => server.send("GET", `/Patient/${id}`)));
  expect(await storedTexts()).toContain(SECRET);

  const answer = await server.send("DELETE", "/Patient/h2?hardDelete=true");
  expect([answer.status, answer.headers["etag"]]).toEqual([204, undefined]);
  for (const path of ["", "/_history", "/_history/1", "/_history/3"]) {
    expect((await server.send("GET", `/Patient/h2${path}`)).status).toBe(404);
  }
  expect(await server.ids(`/Patient?name=${SECRET}`)).toEqual([]);
  expect(await server.ids("/Patient?_id=h2")).toEqual([]);
  expect(await storedTexts()).not.toContain(SECRET);
  // Also after the cache of blocks is gone
  const fresh = await openWriteServer({ database: server.database });
  for (const [index, id] of ["h1", "h3"].entries()) {
    expect((await server.send("GET", `/Patient/${id}`)).text).toBe(neighbours[index]?.text);
    expect((await fresh.send("GET", `/Patient/${id}`)).text).toBe(neighbours[index]?.text);
  }
  const { rows } = await server.database.pool.query("select from resource_history");
  expect(rows).toHaveLength(0);
  await fresh.close();
});

it("lets the id be used again, from version 1", async () => {
  const resource = { resourceType: "Patient", id: "again" };
  await server.send("PUT", "/Patient/again", resource);
  await server.send("PUT", "/Patient/again", resource);
  await server.send("DELETE", "/Patient/again?hardDelete=true");
  const answer = await server.send("PUT", "/Patient/again", resource);
  expect([answer.status, answer.headers["etag"]]).toEqual([201, 'W/"1"']);
});

it.each([
  ["/Patient/never?hardDelete=true", 204],
  ["/Patient/never?hardDelete=maybe", 400],
  ["/Patient/never?_hardDelete=maybe", 400],
  ["/Patient/never?_hardDelete=true", 204],
  ["/Patient?_hardDelete=true&name=x", 400],
  ["/Patient?hardDelete=true&name=x", 400],
])("%s: %i", async (path, status) => {
  expect((await server.send("DELETE", path)).status).toBe(status);
});

it("honours If-Match, and is asked for by _hardDelete, too", async () => {
  await server.send("PUT", "/Patient/matched", { resourceType: "Patient", id: "matched" });
  await server.send("PUT", "/Patient/matched", { resourceType: "Patient", id: "matched" });
  for (const name of ["hardDelete", "_hardDelete"]) {
    const path = `/Patient/matched?${name}=true`;
    expect((await server.send("DELETE", path, undefined, { "if-match": 'W/"1"' })).status).toBe(412);
  }
  expect((await server.send("GET", "/Patient/matched/_history")).body.total).toBe(2);
  const erased = await server.send("DELETE", "/Patient/matched?_hardDelete=true", undefined, { "if-match": 'W/"2"' });
  expect(erased.status).toBe(204);
  expect((await server.send("GET", "/Patient/matched")).status).toBe(404);
  const none = await server.send("DELETE", "/Patient/matched?hardDelete=true", undefined, { "if-match": "*" });
  expect(none.status).toBe(412);
});

it("goes together with updates of the same resource at the same time", async () => {
  const put = (): Promise<unknown> => server.send("PUT", "/Patient/busy", { resourceType: "Patient", id: "busy" });
  const erase = (): Promise<unknown> => server.send("DELETE", "/Patient/busy?hardDelete=true");
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 4 === 3 ? erase() : put())));
  expect(answers.map((answer) => (answer as { status: number }).status).filter((status) => status >= 300)).toEqual([]);
  await put();
  const { body } = await server.send("GET", "/Patient/busy/_history?_count=50");
  const versions = body.entry.map((entry: { resource: { meta: { versionId: string } } }) =>
    Number(entry.resource.meta.versionId),
  );
  expect(versions).toEqual(Array.from({ length: versions.length }, (_, index) => versions.length - index));
});

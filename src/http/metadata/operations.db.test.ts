import { afterAll, beforeAll, expect, it } from "vitest";
import { BASE, openWriteServer, type Json, type WriteServer } from "../testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
  await server.send("PUT", "/Patient/p", { resourceType: "Patient", id: "p" });
  for (const id of ["o1", "o2"]) {
    const subject = { reference: "Patient/p" };
    await server.send("PUT", `/Observation/${id}`, {
      resourceType: "Observation",
      id,
      status: "final",
      code: { text: "x" },
      subject,
    });
  }
});
afterAll(() => server.close());

const parameters = (...parameter: object[]): object => ({ resourceType: "Parameters", parameter });
const idsOf = (body: Json): string[] => body.entry.map((entry: Json) => entry.resource.id).toSorted();

it("$everything by POST: with parameters, without, and with a page to follow", async () => {
  const path = "/Patient/p/$everything";
  expect(idsOf((await server.send("POST", path)).body)).toEqual(["o1", "o2", "p"]);
  expect(idsOf((await server.send("POST", path, parameters())).body)).toEqual(["o1", "o2", "p"]);
  const asked = parameters({ name: "_type", valueCode: "Observation" }, { name: "_count", valueInteger: 1 });
  const { body } = await server.send("POST", path, asked);
  const next = body.link.find((link: Json) => link.relation === "next").url;
  const rest = await server.send("GET", next.slice(BASE.length));
  expect([...idsOf(body), ...idsOf(rest.body)].toSorted()).toEqual(["o1", "o2"]);
});

it.each([
  [parameters({ name: "_since", valuePeriod: {} }), "_since"],
  [parameters({ name: "shoe", valueString: "x" }), "shoe"],
  [parameters({ valueString: "x" }), "Parameters.parameter.name"],
  [{ resourceType: "Patient" }, "Parameters"],
  ["{", "Parameters"],
])("$everything by POST with %j is a 400", async (body, expression) => {
  const answer = await server.send("POST", "/Patient/p/$everything", body);
  expect([answer.status, answer.body.issue[0].expression]).toEqual([400, [expression]]);
});

it("an operation that is not there is called by its name", async () => {
  for (const path of ["/$nothing", "/Patient/$nothing", "/Patient/p/$nothing"]) {
    const { status, body } = await server.send("GET", path);
    const name = path.slice(path.indexOf("$"));
    expect([status, body.issue[0].diagnostics]).toEqual([404, `There is no operation ${name} here.`]);
  }
});

it("_search is there by GET, too", async () => {
  for (const path of ["/Observation/_search?", "/_search?_type=Observation&", "/Patient/p/Observation/_search?"]) {
    const { status, body } = await server.send("GET", `${path}status=final`);
    expect(status).toBe(200);
    expect(idsOf(body)).toEqual(["o1", "o2"]);
  }
});

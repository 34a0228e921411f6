import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

function patient(id: string | undefined, family = "Alder"): Record<string, unknown> {
  return { resourceType: "Patient", ...(id === undefined ? {} : { id }), name: [{ family }] };
}

describe("refusals", () => {
  it.each<[string, "POST" | "PUT" | "DELETE", string, unknown, Record<string, string>, number, string | undefined]>([
    ["no JSON", "POST", "/Patient", "{", {}, 400, undefined],
    [
      "not UTF-8",
      "POST",
      "/Patient",
      Buffer.from('{"resourceType":"Patient","id":"\xff"}', "latin1"),
      {},
      400,
      undefined,
    ],
    ["an unknown element", "POST", "/Patient", { ...patient(undefined), shoe: 1 }, {}, 400, "Patient.shoe"],
    [
      "a code that does not exist",
      "POST",
      "/Patient",
      { resourceType: "Patient", gender: "x" },
      {},
      400,
      "Patient.gender",
    ],
    ["another type than the URL's", "POST", "/Observation", patient(undefined), {}, 400, "resourceType"],
    ["another id than the URL's", "PUT", "/Patient/a", patient("b"), {}, 400, "Patient.id"],
    ["no id", "PUT", "/Patient/a", patient(undefined), {}, 400, "Patient.id"],
    ["an id that is none", "PUT", "/Patient/a_b", patient("a_b"), {}, 400, "Patient.id"],
    ["no resource type", "POST", "/Shoe", patient(undefined), {}, 404, undefined],
    ["XML", "POST", "/Patient", "<Patient/>", { "content-type": "application/fhir+xml" }, 415, undefined],
    [
      "criteria on a create",
      "POST",
      "/Patient?identifier=urn:x|1&_pretty=true",
      { resourceType: "Patient" },
      {},
      400,
      "identifier",
    ],
    [
      "criteria on an instance",
      "PUT",
      "/Patient/q?identifier=x",
      { resourceType: "Patient", id: "q" },
      {},
      400,
      "identifier",
    ],
    ["criteria on a deleted one", "DELETE", "/Patient/q?name=x", undefined, {}, 400, "name"],
    ["a form", "POST", "/Patient", "a=b", { "content-type": "application/x-www-form-urlencoded" }, 415, undefined],
    [
      "a client that wants XML",
      "POST",
      "/Patient",
      patient(undefined),
      { accept: "application/fhir+xml" },
      406,
      undefined,
    ],
    ["a body that is too long", "POST", "/Patient", " ".repeat(17 << 20), {}, 413, undefined],
    ["an empty body", "POST", "/Patient", "", {}, 400, undefined],
    [
      "the marker of deletion",
      "POST",
      "/Patient",
      {
        resourceType: "Patient",
        meta: {
          extension: [
            { url: "http://azurehealthcareapis.com/data-extensions/deleted-state", valueString: "soft-deleted" },
          ],
        },
      },
      {},
      400,
      "Patient.meta.extension",
    ],
  ])("%s", async (_name, method, path, body, headers, status, expression) => {
    const answer = await server.send(method, path, body, headers);
    expect(answer.status).toBe(status);
    expect(answer.body.resourceType).toBe("OperationOutcome");
    expect(answer.body.issue[0].expression).toEqual(expression === undefined ? undefined : [expression]);
  });

  it("takes application/json with a charset", async () => {
    const headers = { "content-type": "application/json; charset=UTF-8" };
    expect((await server.send("POST", "/Patient", patient(undefined), headers)).status).toBe(201);
  });

  it.each<["POST" | "PUT" | "DELETE", string]>([
    ["POST", "/Patient"],
    ["PUT", "/Patient/a"],
    ["DELETE", "/Patient/a"],
    ["POST", ""],
  ])("%s %s while the store is locked for the initial import: 423", async (method, path) => {
    const locked = await openWriteServer({ initialImportMode: true });
    try {
      const answer = await locked.send(method, path, method === "DELETE" ? undefined : patient("a"));
      expect(answer.status).toBe(423);
    } finally {
      await locked.close();
    }
  });
});

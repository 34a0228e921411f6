import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type Json, type WriteServer } from "../testing/write-server.ts";
import { bundle, statuses, patient, post, put } from "../testing/bundles.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

describe("batch", () => {
  it("carries each entry out by itself", async () => {
    const answer = await server.send(
      "POST",
      "",
      bundle(
        "batch",
        { resource: patient(undefined, { shoe: 1 }), request: post("Patient") },
        { resource: patient("b1"), request: put("Patient/b1") },
        { resource: patient("b2"), request: put("Patient/b2", { ifMatch: 'W/"3"' }) },
        { request: { method: "GET", url: "Patient/b1" } },
        { request: { method: "GET", url: "Patient/b1", ifNoneMatch: 'W/"1"' } },
        { request: { method: "GET", url: "Patient/b1/_history" } },
        { request: { method: "GET", url: "Patient?gender:x=1" } },
        { request: { method: "PATCH", url: "Patient/b1" } },
      ),
    );
    expect(answer.status).toBe(200);
    expect(answer.body.type).toBe("batch-response");
    expect(statuses(answer)).toEqual([
      "400 Bad Request",
      "201 Created",
      "412 Precondition Failed",
      "200 OK",
      "304 Not Modified",
      "200 OK",
      "400 Bad Request",
      "400 Bad Request",
    ]);
    expect(answer.body.entry[0].response.outcome.issue[0].expression).toEqual(["resource.shoe"]);
  });

  it("keeps the order of entries about the same resource", async () => {
    const names = Array.from({ length: 40 }, (_, at) => `n${at}`);
    const id = randomUUID();
    const mrn = `urn:mrn|${id}`;
    const named = (family: string): object =>
      patient(undefined, { identifier: [{ system: "urn:mrn", value: id }], name: [{ family }] });
    const answer = await server.send(
      "POST",
      "",
      bundle(
        "batch",
        ...names.flatMap((family) => [
          { resource: patient(id, { name: [{ family }] }), request: put(`Patient/${id}`) },
          { resource: named(family), request: put(`Patient?identifier=${mrn}`) },
        ]),
        { request: { method: "DELETE", url: `Patient?identifier=${mrn}` } },
        { resource: named("after"), request: post("Patient", { ifNoneExist: `identifier=${mrn}` }) },
      ),
    );
    expect(statuses(answer).slice(0, 2)).toEqual(["201 Created", "201 Created"]);
    expect(statuses(answer).slice(-2)).toEqual(["204 No Content", "201 Created"]);
    const versions = (await server.send("GET", `/Patient/${id}/_history?_count=100`)).body.entry as Json[];
    expect(versions.map(({ resource }) => resource.name[0].family).toReversed()).toEqual(names);
    const conditional = /\/Patient\/([^/]+)\//.exec(answer.body.entry[1].response.location)?.[1] ?? "";
    const others = (await server.send("GET", `/Patient/${conditional}/_history?_count=100`)).body.entry as Json[];
    const families = others.map(({ resource, request }) => resource?.name[0].family ?? request.method);
    expect(families.toReversed()).toEqual([...names, "DELETE"]);
  });

  it("takes many entries at once", async () => {
    const family = `M${randomUUID().slice(0, 8)}`;
    const entries = Array.from({ length: 300 }, () => ({
      resource: patient(undefined, { name: [{ family }] }),
      request: post("Patient"),
    }));
    const answer = await server.send("POST", "", bundle("batch", ...entries));
    expect(new Set(statuses(answer))).toEqual(new Set(["201 Created"]));
    expect(await server.ids(`/Patient?family=${family}&_count=1000`)).toHaveLength(300);
  });
});

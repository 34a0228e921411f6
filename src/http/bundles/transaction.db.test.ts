import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BASE, openWriteServer, type Answer, type Json, type WriteServer } from "../testing/write-server.ts";
import { type TestEntry, bundle, statuses, patient, observation, post, put } from "../testing/bundles.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

function transaction(...entry: TestEntry[]): Promise<Answer> {
  return server.send("POST", "", bundle("transaction", ...entry));
}

describe("transaction", () => {
  it("writes all entries, reads what it wrote, and answers in the order of the entries", async () => {
    const id = randomUUID();
    const old = randomUUID();
    await server.send("PUT", `/Patient/${old}`, patient(old));
    const answer = await transaction(
      { request: { method: "GET", url: `Patient/${id}` } },
      { resource: patient(id), request: put(`Patient/${id}`) },
      { resource: patient(), request: post("Patient") },
      { request: { method: "DELETE", url: `Patient/${old}` } },
      { request: { method: "GET", url: `Patient?_id=${id}` } },
      { request: { method: "GET", url: "Patient/never" } },
    );
    expect(answer.status).toBe(200);
    expect(answer.body.type).toBe("transaction-response");
    expect(statuses(answer)).toEqual([
      "200 OK",
      "201 Created",
      "201 Created",
      "204 No Content",
      "200 OK",
      "404 Not Found",
    ]);
    const [read, updated, created, deleted, found, failed] = answer.body.entry;
    expect(read.resource.id).toBe(id);
    expect(updated.response.location).toBe(`${BASE}/Patient/${id}/_history/1`);
    expect(updated.response.etag).toBe('W/"1"');
    expect(created.response.location).toMatch(/\/Patient\/[0-9a-f-]{36}\/_history\/1$/);
    expect(deleted.response.etag).toBe('W/"2"');
    expect(found.resource.entry).toHaveLength(1);
    expect(failed.response.outcome.issue[0].code).toBe("not-found");
    expect((await server.send("GET", `/Patient/${old}`)).status).toBe(410);
  });

  it("says what became of references to entries without a fullUrl", async () => {
    const observation = { resourceType: "Observation", subject: { reference: "Patient/sent-1" } };
    const answer = await transaction(
      { resource: { resourceType: "Patient", id: "sent-1" }, request: post("Patient") },
      { resource: observation, request: post("Observation") },
      { resource: { resourceType: "Patient", id: "put-1" }, request: put("Patient/put-1") },
      { resource: { ...observation, subject: { reference: "Patient/put-1" } }, request: post("Observation") },
    );
    expect(statuses(answer)).toEqual(Array.from({ length: 4 }, () => "201 Created"));
    const [patientEntry, ...others] = answer.body.entry;
    const stored = patientEntry.response.location.replace(`${BASE}/`, "").replace("/_history/1", "");
    const diagnostics = `The reference Patient/sent-1 is kept as it is: entry[0] has this id, but no fullUrl, and is stored as ${stored}.`;
    expect(others.map(({ response }: Json) => response.outcome?.issue)).toEqual([
      [{ severity: "warning", code: "informational", diagnostics }],
      undefined,
      undefined,
    ]);
  });

  it("replaces references to entries in place, and nothing else", async () => {
    const urn = `urn:uuid:${randomUUID()}`;
    const other = "http://elsewhere.example/fhir";
    const text =
      `{"resourceType":"Observation", "status":"final","code":{"text":"${urn}"},"identifier":[{"system":"urn:ietf:rfc:3986","value":"${urn}"}],` +
      `"subject" : { "reference" :"${urn}"},"valueQuantity":{"value":1.10},"performer":[{"reference":"Practitioner/p"},{"reference":"Practitioner/q"}]}`;
    const answer = await server.send(
      "POST",
      "",
      `{"resourceType":"Bundle","type":"transaction","entry":[
        {"fullUrl":"${other}/Observation/1","resource":${text},"request":{"method":"POST","url":"Observation"}},
        {"fullUrl":"${urn}","resource":{"resourceType":"Patient","link":[{"other":{"reference":"${other}/Practitioner/p"},"type":"seealso"}]},"request":{"method":"POST","url":"Patient"}},
        {"fullUrl":"${other}/Practitioner/p","resource":{"resourceType":"Practitioner"},"request":{"method":"POST","url":"Practitioner"}},
        {"fullUrl":"urn:uuid:${randomUUID()}","resource":{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"url":"${urn}"}}]},"request":{"method":"POST","url":"DocumentReference"}}
      ]}`,
      { prefer: "return=representation" },
    );
    expect(statuses(answer)).toEqual(Array.from({ length: 4 }, () => "201 Created"));
    const [first, second, third, fourth] = answer.body.entry.map((entry: Json) => entry.resource);
    const body = (await server.send("GET", `/Observation/${first.id}`)).text;
    expect(body.slice(body.indexOf(', "status"'))).toBe(
      text
        .slice(text.indexOf(', "status"'))
        .replace(`"reference" :"${urn}"`, `"reference" :"Patient/${second.id}"`)
        .replace("Practitioner/p", `Practitioner/${third.id}`),
    );
    expect(second.link[0].other.reference).toBe(`Practitioner/${third.id}`);
    expect(fourth.content[0].attachment.url).toBe(`Patient/${second.id}`);
    expect(await server.ids(`/Observation?subject=Patient/${second.id}`)).toEqual([first.id]);
  });

  it("replaces links in narratives, and nothing of type canonical", async () => {
    const urn = `urn:uuid:${randomUUID()}`;
    const div = `<div xmlns="http://www.w3.org/1999/xhtml"><a  href='${urn}'>x</a><img src = "${urn}"/>${urn} &amp; "ü"</div>`;
    const answer = await server.send(
      "POST",
      "",
      bundle(
        "transaction",
        { fullUrl: urn, resource: patient(), request: post("Patient") },
        {
          resource: { resourceType: "CarePlan", text: { status: "generated", div }, instantiatesCanonical: [urn] },
          request: post("CarePlan"),
        },
      ),
      { prefer: "return=representation" },
    );
    expect(statuses(answer)).toEqual(["201 Created", "201 Created"]);
    const [{ id }, plan] = answer.body.entry.map((entry: Json) => entry.resource);
    expect(plan.text.div).toBe(div.replace(`'${urn}'`, `'Patient/${id}'`).replace(`"${urn}"`, `"Patient/${id}"`));
    expect(plan.instantiatesCanonical).toEqual([urn]);
  });

  it("leaves the references inside a Bundle that is stored to its own entries", async () => {
    const [urn, outer] = [`urn:uuid:${randomUUID()}`, `urn:uuid:${randomUUID()}`];
    const document = bundle(
      "collection",
      { fullUrl: urn, resource: patient() } as TestEntry,
      {
        resource: observation(urn, { performer: [{ reference: outer }] }),
      } as TestEntry,
    );
    const answer = await server.send(
      "POST",
      "",
      bundle(
        "transaction",
        { resource: document, request: post("Bundle") },
        { fullUrl: outer, resource: { resourceType: "Practitioner" }, request: post("Practitioner") },
      ),
      { prefer: "return=representation" },
    );
    expect(statuses(answer)).toEqual(["201 Created", "201 Created"]);
    const [stored, practitioner] = answer.body.entry.map((entry: Json) => entry.resource);
    expect(stored.entry[1].resource.subject.reference).toBe(urn);
    expect(stored.entry[1].resource.performer[0].reference).toBe(`Practitioner/${practitioner.id}`);
  });

  it("knows what its deletions have deleted, and what its conditional updates find", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const one = (value: string): object => ({ identifier: [{ system, value }] });
    const existing = await server.send("POST", "/Patient", patient(undefined, one("1")));
    const deletion = { request: { method: "DELETE", url: `Patient/${existing.body.id}` } };
    const condition = { ifNoneExist: `identifier=${system}|1` };
    const created = await transaction(
      { resource: patient(undefined, one("1")), request: post("Patient", condition) },
      deletion,
    );
    expect([created.status, created.body.issue[0].expression]).toEqual([400, ["Bundle.entry[0]"]]);
    const reference = observation(`Patient?identifier=${system}|1`);
    const referred = await transaction({ resource: reference, request: post("Observation") }, deletion);
    expect([referred.status, referred.body.issue[0].code]).toEqual([412, "not-found"]);

    const updated = await server.send(
      "POST",
      "",
      bundle(
        "transaction",
        { resource: observation(`Patient?identifier=${system}|2`), request: post("Observation") },
        { resource: patient(undefined, one("2")), request: put(`Patient?identifier=${system}|2`) },
      ),
      { prefer: "return=representation" },
    );
    expect(statuses(updated)).toEqual(["201 Created", "201 Created"]);
    const [found, target] = updated.body.entry.map((entry: Json) => entry.resource);
    expect(found.subject.reference).toBe(`Patient/${target.id}`);
  });

  it.each([
    ["Patient?", 412],
    ["Patient?_sort=name", 412],
    ["Patient?identifier=", 400],
  ])("refuses the reference %s, which has no criteria: %i", async (reference, status) => {
    const id = randomUUID();
    const answer = await transaction({
      resource: { ...observation(reference), id },
      request: put(`Observation/${id}`),
    });
    expect([answer.status, answer.body.resourceType]).toEqual([status, "OperationOutcome"]);
    expect(answer.body.issue[0].expression[0]).toMatch(/^Bundle\.entry\[0\]/);
    expect((await server.send("GET", `/Observation/${id}`)).status).toBe(404);
  });

  it("takes two conditional deletions that find nothing", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const answer = await transaction(
      { request: { method: "DELETE", url: `Patient?identifier=${system}|1` } },
      { request: { method: "DELETE", url: `Patient?identifier=${system}|2` } },
    );
    expect(statuses(answer)).toEqual(["204 No Content", "204 No Content"]);
  });

  it("resolves conditional references and conditional creates, in one and the same Bundle too", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const identifier = (value: string): object => ({ identifier: [{ system, value }] });
    const existing = await server.send("POST", "/Patient", patient(undefined, identifier("1")));
    const answer = await transaction(
      { resource: observation(`Patient?identifier=${system}|1`), request: post("Observation") },
      { resource: observation("urn:uuid:a"), request: post("Observation") },
      { resource: observation("urn:uuid:b"), request: post("Observation") },
      { resource: observation(`Patient?identifier=${system}|2`), request: post("Observation") },
      {
        fullUrl: "urn:uuid:a",
        resource: patient(undefined, identifier("1")),
        request: post("Patient", { ifNoneExist: `identifier=${system}|1` }),
      },
      {
        fullUrl: "urn:uuid:b",
        resource: patient(undefined, identifier("2")),
        request: post("Patient", { ifNoneExist: `identifier=${system}|2` }),
      },
    );
    expect(statuses(answer).slice(4)).toEqual(["200 OK", "201 Created"]);
    const ids = answer.body.entry.map((entry: Json) => entry.response.location.split("/").at(-3));
    expect(ids[4]).toBe(existing.body.id);
    expect(await server.ids(`/Observation?subject=Patient/${existing.body.id}`)).toEqual(
      (ids.slice(0, 2) as string[]).toSorted(),
    );
    expect(await server.ids(`/Observation?subject=Patient/${ids[5]}`)).toEqual(
      (ids.slice(2, 4) as string[]).toSorted(),
    );
  });

  it("carries out conditional updates and deletes", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const identified = (value: string): Json => patient(undefined, { identifier: [{ system, value }] });
    await server.send("POST", "/Patient", identified("1"));
    const { body } = await server.send("POST", "/Patient", identified("2"));
    const answer = await transaction(
      { resource: identified("1"), request: put(`Patient?identifier=${system}|1`) },
      { request: { method: "DELETE", url: `Patient?identifier=${system}|2` } },
    );
    expect(statuses(answer)).toEqual(["200 OK", "204 No Content"]);
    expect((await server.send("GET", `/Patient/${body.id}`)).status).toBe(410);
  });

  const id = randomUUID();
  it.each<[string, TestEntry[], number, string]>([
    [
      "a resource that is not sound",
      [{ resource: patient(undefined, { shoe: 1 }), request: post("Patient") }],
      400,
      "Bundle.entry[1].resource.shoe",
    ],
    [
      "an id that does not fit",
      [{ resource: patient("a"), request: put("Patient/b") }],
      400,
      "Bundle.entry[1].resource.id",
    ],
    ["no request", [{ resource: patient("a") } as TestEntry], 400, "Bundle.entry[1].request"],
    ["a PATCH without a patch", [{ request: { method: "PATCH", url: "Patient/a" } }], 400, "Bundle.entry[1].resource"],
    ["an unknown type", [{ request: { method: "DELETE", url: "Shoe/a" } }], 400, "Bundle.entry[1].request.url"],
    [
      "ifMatch of an older version",
      [{ resource: patient("there"), request: put("Patient/there", { ifMatch: 'W/"9"' }) }],
      412,
      "Bundle.entry[1]",
    ],
    [
      "a reference to no entry",
      [{ resource: observation("urn:uuid:none"), request: post("Observation") }],
      400,
      "Bundle.entry[1]",
    ],
    [
      "a conditional reference to nothing",
      [{ resource: observation("Patient?identifier=none"), request: post("Observation") }],
      412,
      "Bundle.entry[1]",
    ],
    [
      "a conditional reference to several",
      [{ resource: observation("Patient?_id=twin1,twin2"), request: post("Observation") }],
      412,
      "Bundle.entry[1]",
    ],
    ["the same resource twice", [{ resource: patient(id), request: put(`Patient/${id}`) }], 400, "Bundle.entry[1]"],
    [
      "a deletion of what must be there",
      [{ request: { method: "DELETE", url: "Patient?identifier=none", ifMatch: "*" } }],
      412,
      "Bundle.entry[1]",
    ],
  ])("writes nothing when one entry fails: %s", async (_name, entries, status, expression) => {
    for (const twin of ["twin1", "twin2", "there"]) await server.send("PUT", `/Patient/${twin}`, patient(twin));
    const answer = await transaction({ resource: patient(id), request: put(`Patient/${id}`) }, ...entries);
    expect(answer.status).toBe(status);
    expect(answer.body.issue[0].expression).toEqual([expression]);
    expect((await server.send("GET", `/Patient/${id}`)).status).toBe(404);
  });

  it("of nothing is an empty answer", async () => {
    const answer = await server.send("POST", "", { resourceType: "Bundle", type: "transaction" });
    expect([answer.status, answer.body]).toEqual([200, { resourceType: "Bundle", type: "transaction-response" }]);
  });

  it.each([
    ["no Bundle", patient()],
    ["a Bundle of another type", { resourceType: "Bundle", type: "collection" }],
    ["entries that are no list", { resourceType: "Bundle", type: "batch", entry: {} }],
    ["no JSON", "[}"],
  ])("%s is a 400", async (_name, body) => {
    expect((await server.send("POST", "", body)).status).toBe(400);
  });

  it("lets transactions on the same resources at the same time through, one after the other", async () => {
    const ids = Array.from({ length: 10 }, () => randomUUID());
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => {
        const mine = index % 2 === 0 ? ids : ids.toReversed();
        return transaction(...mine.map((one) => ({ resource: patient(one), request: put(`Patient/${one}`) })));
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    for (const one of ids) {
      const { body } = await server.send("GET", `/Patient/${one}/_history?_count=50`);
      const versions = body.entry.map((entry: Json) => Number(entry.resource.meta.versionId));
      expect(versions).toEqual(Array.from({ length: 10 }, (_, index) => 10 - index));
    }
  });
});

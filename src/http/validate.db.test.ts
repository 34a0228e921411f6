import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

it("tells of members that come twice, beside other problems", async () => {
  const body = '{"resourceType":"Patient","shoe":1,"name":[{"family":"a","family":"b"}]}';
  const answer = await server.send("POST", "/Patient/$validate", body);
  const issues = answer.body.issue.map(({ expression }: { expression: string[] }) => expression?.[0]);
  expect(issues).toEqual(["Patient.shoe", "Patient.name.family"]);
});

it("tells of integers with a fraction or an exponent, also in Parameters", async () => {
  const patient = '{"resourceType":"Patient","multipleBirthInteger":1.0,"gender":"x"}';
  const expected = ["error value Patient.multipleBirthInteger", "error code-invalid Patient.gender"];
  expect(brief(await issues("/Patient/$validate", patient))).toEqual(expected);
  const body = `{"parameter":[{"name":"resource","resource":${patient}}],"resourceType":"Parameters"}`;
  expect(brief(await issues("/Patient/$validate", body))).toEqual(expected);
  const create = await server.send("POST", "/Patient", '{"resourceType":"Patient","multipleBirthInteger":1e0}');
  expect([create.status, create.body.issue[0].expression]).toEqual([400, ["Patient.multipleBirthInteger"]]);
});

const GOOD = { resourceType: "Patient", id: "p", name: [{ family: "Good" }] };
const BAD = {
  resourceType: "Patient",
  id: "p",
  gender: "unknown-one",
  birthDate: "1999-13-01",
  active: "yes",
  nothing: 1,
  contact: [{ name: { family: "A" } }, { name: { family: 7 } }],
};

/** Severity, code and expression of the issues; the answer must be a 200. */
async function issues(path: string, body: unknown): Promise<Json[]> {
  const answer = await server.send(body === undefined ? "GET" : "POST", path, body);
  expect([answer.status, answer.body.resourceType], answer.text).toEqual([200, "OperationOutcome"]);
  return answer.body.issue;
}

function brief(found: Json[]): string[] {
  return found.map(({ severity, code, expression }) => [severity, code, ...(expression ?? [])].join(" "));
}

const parameters = (resource: unknown, more: Json[] = []): Json => ({
  resourceType: "Parameters",
  parameter: [{ name: "resource", resource }, ...more],
});

describe("$validate", () => {
  it("says all problems of a resource, each with its element", async () => {
    const expected = [
      "error code-invalid Patient.gender",
      "error value Patient.birthDate",
      "error structure Patient.active",
      "error structure Patient.nothing",
      "error structure Patient.contact[1].name.family",
    ];
    expect(brief(await issues("/Patient/$validate", BAD))).toEqual(expected);
    expect(brief(await issues("/Patient/%24validate", parameters(BAD)))).toEqual(expected);
    expect(
      brief(await issues("/Patient/p/$validate", parameters(BAD, [{ name: "mode", valueCode: "update" }]))),
    ).toEqual(expected);
  });

  it("says when it finds none, and what it has not looked at", async () => {
    const [issue, ...more] = await issues("/Patient/$validate", GOOD);
    expect(issue).toMatchObject({ severity: "information", code: "informational" });
    expect(issue.diagnostics).toMatch(/no problems; missing elements, invariants, profiles/);
    expect(more).toEqual([]);
    const withProfile = { ...GOOD, meta: { profile: ["http://example.org/p"] } };
    expect(brief(await issues("/Patient/$validate", withProfile))).toEqual([
      "information informational",
      "warning not-supported Patient.meta.profile",
    ]);
  });

  it("ends after 100 problems, and says so", async () => {
    const resource = { resourceType: "Patient", contact: Array.from({ length: 300 }, () => ({ x: 1 })) };
    const found = await issues("/Patient/$validate", resource);
    expect(found.length).toBe(101);
    expect(found[100]).toMatchObject({ severity: "information", diagnostics: expect.stringContaining("100") });
  });

  it.each([
    ['{"resourceType":"Patient",\n  "active": tru\n}', /unexpected "t" at character 40.* \(line 2, column 13\)/],
    ['{"resourceType":"Patient"', /the text ends inside an object, after 25 characters/],
    [Buffer.from([0x7b, 0xff, 0x7d]), /not valid UTF-8/],
  ])("text that is no JSON is a problem with its place: %s", async (text, diagnostics) => {
    const [issue, ...more] = await issues("/Patient/$validate", text);
    expect(issue).toMatchObject({ severity: "error", code: "structure" });
    expect(issue.diagnostics).toMatch(diagnostics);
    expect(more).toEqual([]);
  });

  it("type, id and what a write would refuse", async () => {
    expect(brief(await issues("/Observation/$validate", GOOD))).toEqual(["error invalid resourceType"]);
    expect(brief(await issues("/Patient/other/$validate", GOOD))).toEqual(["error value Patient.id"]);
    expect(brief(await issues("/Patient/$validate", { ...GOOD, id: "no_id" }))).toEqual(["error value Patient.id"]);
    expect(brief(await issues("/Patient/$validate", "[]"))).toEqual(["error structure"]);
    const { id: _, ...withoutId } = GOOD;
    expect(brief(await issues("/Patient/$validate", withoutId))).toEqual(["information informational"]);
    expect(brief(await issues("/Patient/$validate?mode=update", withoutId))).toEqual(["error required Patient.id"]);
  });

  it("a SearchParameter that could not be stored", async () => {
    const definition = {
      resourceType: "SearchParameter",
      url: "http://example.org/sp",
      name: "x",
      status: "active",
      description: "x",
      code: "x-own",
      base: ["Patient"],
      type: "string",
      expression: "Patient.name.iif(",
    };
    const [issue] = await issues("/SearchParameter/$validate", definition);
    expect([issue.severity, issue.expression?.[0]]).toEqual(["error", "SearchParameter.expression"]);
  });

  it("a Parameters can be validated itself", async () => {
    const wrong = { resourceType: "Parameters", parameter: [{ name: "x", valueInteger: "1" }] };
    expect(brief(await issues("/Parameters/$validate", wrong))).toEqual([
      "error structure Parameters.parameter[0].valueInteger",
    ]);
    expect(brief(await issues("/Parameters/$validate", parameters(wrong)))).toEqual([
      "error structure Parameters.parameter[0].valueInteger",
    ]);
  });

  it("what is stored", async () => {
    await server.send("PUT", "/Patient/p", GOOD);
    expect(brief(await issues("/Patient/p/$validate", undefined))).toEqual(["information informational"]);
    expect((await server.send("POST", "/Patient/p/$validate")).body.issue[0].severity).toBe("information");
    expect(brief(await issues("/Patient/p/$validate?mode=delete", undefined))).toEqual(["information informational"]);
    expect((await server.send("GET", "/Patient/none/$validate")).status).toBe(404);
    await server.send("DELETE", "/Patient/p");
    expect((await server.send("GET", "/Patient/p/$validate")).status).toBe(410);
  });

  it.each([
    ["/Patient/$validate?profile=http://example.org/p", GOOD, "not-supported", "profile"],
    ["/Patient/$validate?mode=profile", GOOD, "not-supported", "mode"],
    [
      "/Patient/$validate",
      parameters(GOOD, [{ name: "profile", valueUri: "http://x.org" }]),
      "not-supported",
      "profile",
    ],
    ["/Patient/$validate?mode=other", GOOD, "invalid", "mode"],
    ["/Patient/$validate?mode=delete", GOOD, "invalid", undefined],
    ["/Patient/$validate?moed=create", GOOD, "invalid", "moed"],
    ["/Patient/$validate", parameters(GOOD, [{ name: "resource", resource: GOOD }]), "invalid", "resource"],
    ["/Patient/$validate", { resourceType: "Parameters" }, "invalid", undefined],
    ["/Patient/$validate", undefined, "invalid", undefined],
  ])("%s is refused: never a wrong 'valid'", async (path, body, code, expression) => {
    const answer = await server.send("POST", path, body);
    expect([answer.status, answer.body.issue[0].code]).toEqual([400, code]);
    expect(answer.body.issue[0].expression?.[0]).toBe(expression);
  });

  it("of no type is not there, and nothing is written by any of it", async () => {
    expect((await server.send("POST", "/$validate", GOOD)).status).toBe(404);
    expect((await server.send("POST", "/Nothing/$validate", GOOD)).status).toBe(404);
    expect((await server.send("PUT", "/Patient/$validate", GOOD)).status).toBe(405);
    expect(await server.ids("/Patient")).toEqual([]);
  });
});

it("validates while the store is locked for the initial import", async () => {
  const locked = await openWriteServer({ initialImportMode: true });
  try {
    expect((await locked.send("POST", "/Patient/$validate", GOOD)).status).toBe(200);
    expect((await locked.send("POST", "/Patient", GOOD)).status).toBe(423);
  } finally {
    await locked.close();
  }
});

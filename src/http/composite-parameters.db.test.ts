import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openReindexServer } from "./testing/reindex-server.ts";
import { type Answer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openReindexServer();
});
afterAll(() => server.close());

const R4 = "http://hl7.org/fhir/SearchParameter/";
const OWN = "http://example.org/fhir/SearchParameter/";
const COLOR = "http://example.org/color";

type Component = [definition: string, expression: string];

function composite(code: string, base: string, expression: string, components: readonly Component[]): Json {
  return {
    resourceType: "SearchParameter",
    id: code,
    url: OWN + code,
    name: code,
    status: "active",
    description: code,
    code,
    base: [base],
    type: "composite",
    expression,
    component: components.map(([definition, part]) => ({ definition, expression: part })),
  };
}

function simple(code: string, type: string, expression: string, more: Json = {}): Json {
  const { component: _, ...rest } = composite(code, "Patient", expression, []);
  return { ...rest, type, ...more };
}

async function put(resource: Json): Promise<Answer> {
  return await server.send("PUT", `/${resource.resourceType}/${resource.id}`, resource);
}

async function reindex(): Promise<void> {
  const started = await server.send("POST", "/$reindex", undefined, { prefer: "respond-async" });
  expect(started.status).toBe(202);
  const path = (started.headers["content-location"] ?? "").replace(/^.*\/fhir/, "");
  for (;;) {
    const status = await server.send("GET", path);
    if (status.status === 200) return;
    expect(status.status, status.text).toBe(202);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const strict = { prefer: "handling=strict" };

async function isPending(path: string): Promise<boolean> {
  const answer = await server.send("GET", path, undefined, strict);
  return answer.status === 400 && answer.body.issue[0].code === "not-supported";
}

async function isUnknown(path: string): Promise<boolean> {
  const answer = await server.send("GET", path, undefined, strict);
  return answer.status === 400 && answer.body.issue[0].code !== "not-supported";
}

const coded = (code: string): Json => ({ coding: [{ system: "urn:c", code }] });

/** Two components each, so that a pair of values across elements would be found if they need not meet in one. */
function observation(id: string, [first, second]: readonly [Json, Json]): Json {
  const component = [
    { code: coded("x"), ...first },
    { code: coded("y"), ...second },
  ];
  return { resourceType: "Observation", id, status: "final", code: coded("both"), component };
}

describe("a custom composite in an element", () => {
  const OF_CODE = `${R4}Observation-component-code`;
  const KINDS: [kind: string, definition: string, expression: string, a: Json, b: Json, meets: string, not: string][] =
    [
      [
        "token",
        `${R4}Observation-component-value-concept`,
        "value as CodeableConcept",
        { valueCodeableConcept: coded("red") },
        { valueCodeableConcept: coded("blue") },
        "x$urn:c|red",
        "x$blue",
      ],
      [
        "quantity",
        `${R4}Observation-component-value-quantity|4.0.1`,
        "value.ofType(Quantity)",
        { valueQuantity: { value: 5.0, system: "http://unitsofmeasure.org", code: "mg" } },
        { valueQuantity: { value: 9, system: "http://unitsofmeasure.org", code: "mg" } },
        "urn:c|x$lt0.006|http://unitsofmeasure.org|g",
        "x$gt8||mg",
      ],
      [
        "date",
        `${R4}Observation-value-date`,
        "value.ofType(dateTime)",
        { valueDateTime: "2020-05-01" },
        { valueDateTime: "2021-05-01" },
        "x$2020-05",
        "x$ge2021",
      ],
      [
        "string",
        `${R4}Observation-value-string`,
        "value.ofType(string)",
        { valueString: "Ümit the Great" },
        { valueString: "Zoe" },
        "x$umit",
        "x$zoe",
      ],
    ];

  it.each(KINDS)(
    "of a token and a %s is found where both meet",
    async (kind, definition, expression, a, b, meets, not) => {
      const code = `meet-${kind}`;
      await put(observation(`early-${kind}`, [a, b]));
      const parameter = composite(code, "Observation", "Observation.component", [
        [OF_CODE, "code"],
        [definition, expression],
      ]);
      const written = await put(parameter);
      expect(written.status, written.text).toBe(201);
      await put(observation(`late-${kind}`, [a, b]));
      const find = (value: string): string => `/Observation?${code}=${encodeURIComponent(value)}`;
      expect(await isPending(find(meets))).toBe(true);
      await reindex();
      expect(await server.ids(find(meets))).toEqual([`early-${kind}`, `late-${kind}`]);
      expect(await server.ids(find(not))).toEqual([]);
      expect(await server.ids(find(not.replace("x$", "y$")))).toEqual([`early-${kind}`, `late-${kind}`]);
      expect(await server.ids(`/Observation?${code}:missing=false`)).toEqual([`early-${kind}`, `late-${kind}`]);
      expect((await server.send("GET", `/Observation?${code}=x`)).status).toBe(400);
    },
  );

  it("indexed twice has its values once", async () => {
    await reindex();
    const { rows } = await server.database.pool.query<{ count: number }>(
      `select count(*)::int as count from search_string s join search_parameter p on p.id = s.parameter
       where p.resource_id = 'meet-string'`,
    );
    // Of each resource two components, each with three numbers of its code: code, system and code, system.
    expect(rows[0]?.count).toBe(12);
  });

  it("of references, with a custom component", async () => {
    await put({
      resourceType: "CareTeam",
      id: "team",
      participant: [
        { role: [coded("lead")], member: { reference: "Practitioner/a" } },
        { role: [coded("aide")], member: { reference: "Practitioner/b" } },
      ],
    });
    await put(simple("role", "token", "CareTeam.participant.role", { base: ["CareTeam"], version: "2" }));
    const parameter = composite("role-member", "CareTeam", "CareTeam.participant", [
      [`${OWN}role|2`, "role"],
      [`${R4}CareTeam-participant`, "member"],
    ]);
    const wrong = await put(JSON.parse(JSON.stringify(parameter).replace("role|2", "role|1")));
    expect([wrong.status, wrong.body.issue[0].expression]).toEqual([400, ["SearchParameter.component[0].definition"]]);
    expect((await put(parameter)).status).toBe(201);
    await reindex();
    expect(await server.ids("/CareTeam?role-member=lead$Practitioner/a")).toEqual(["team"]);
    expect(await server.ids("/CareTeam?role-member=lead$Practitioner/b")).toEqual([]);
  });

  it("can be chained to, and be a condition, but no order", async () => {
    await put({
      resourceType: "Observation",
      id: "top",
      status: "final",
      code: coded("z"),
      hasMember: [{ reference: "Observation/early-string" }],
    });
    expect(await server.ids("/Observation?has-member:Observation.meet-string=x$umit")).toEqual(["top"]);
    expect(await server.ids("/Observation?_has:Observation:has-member:_id=top&meet-string=y$zoe")).toEqual([
      "early-string",
    ]);
    const criteria = { "if-none-exist": "meet-string=x$umit&_id=early-string" };
    const found = await server.send("POST", "/Observation", { resourceType: "Observation" }, criteria);
    expect([found.status, found.body.id]).toEqual([200, "early-string"]);
    const sorted = await server.send("GET", "/Observation?_sort=meet-string");
    expect([sorted.status, sorted.body.issue[0].code]).toEqual([400, "not-supported"]);
  });

  it("does not depend on what becomes of its components", async () => {
    const found = "/CareTeam?role-member=lead$Practitioner/a";
    await put(simple("role", "string", "CareTeam.name", { base: ["CareTeam"] }));
    expect(await server.ids(found)).toEqual(["team"]);
    expect((await server.send("DELETE", "/SearchParameter/role")).status).toBe(204);
    expect(await server.ids(found)).toEqual(["team"]);
    const stored = (await server.send("GET", "/SearchParameter/role-member")).body;
    const again = await put({ ...stored, description: "again" });
    expect([again.status, again.body.issue[0].expression]).toEqual([400, ["SearchParameter.component[0].definition"]]);
    expect(await server.ids(found)).toEqual(["team"]);
  });
});

describe("a custom composite in the resource", () => {
  it("is answered by R4's parameters, without rows, where these select the same", async () => {
    await put({
      resourceType: "Patient",
      id: "p1",
      gender: "female",
      birthDate: "1980-05-05",
      name: [{ family: "Ada" }],
    });
    await put({
      resourceType: "Patient",
      id: "p2",
      gender: "female",
      birthDate: "1990-05-05",
      name: [{ family: "Ada" }],
    });
    await put(
      composite("born-named", "Patient", "Patient", [
        [`${R4}individual-birthdate`, "Patient.birthDate"],
        [`${R4}individual-gender`, "gender"],
        [`${R4}individual-family`, "name.family"],
      ]),
    );
    expect(await isPending("/Patient?born-named=1980$female$ada")).toBe(true);
    await reindex();
    expect(await server.ids("/Patient?born-named=1980$female$ada")).toEqual(["p1"]);
    expect(await server.ids("/Patient?born-named=ge1980$female$ada")).toEqual(["p1", "p2"]);
    expect(await server.ids("/Patient?born-named=1990$male$ada")).toEqual([]);
    const { rows } = await server.database.pool.query(
      "select trees from search_parameter where resource_id = 'born-named'",
    );
    expect(rows).toEqual([{ trees: {} }]);
  });

  it("has values of its own where they do not, and reads expressions from both contexts", async () => {
    const extension = [
      { url: COLOR, valueCode: "red" },
      { url: `${COLOR}-text`, valueString: "Rosso" },
    ];
    await put({ resourceType: "Patient", id: "c1", extension });
    await put({ resourceType: "Patient", id: "c2", extension: [extension[0]] });
    const bundle = {
      resourceType: "Bundle",
      type: "transaction",
      // The composite comes before what it names.
      entry: [
        composite("color-both", "Patient", "Patient | Patient.contact", [
          [`${OWN}color`, `extension('${COLOR}').value.ofType(code)`],
          [`${OWN}color-text`, `extension('${COLOR}-text').value.ofType(string)`],
        ]),
        simple("color", "token", `Patient.extension('${COLOR}').value.ofType(code)`),
        simple("color-text", "string", `Patient.extension('${COLOR}-text').value.ofType(string)`),
      ].map((resource) => ({ resource, request: { method: "PUT", url: `SearchParameter/${resource.id}` } })),
    };
    const written = await server.send("POST", "/", bundle);
    expect(written.status, written.text).toBe(200);
    await reindex();
    await put({ resourceType: "Patient", id: "c3", contact: [{ extension }, { extension: [extension[0]] }] });
    expect(await server.ids("/Patient?color-both=red$ros")).toEqual(["c1", "c3"]);
    expect(await server.ids("/Patient?color-both=blue$ros")).toEqual([]);
  });

  it("that changes, is retired or deleted is pending or unknown", async () => {
    const found = "/Patient?color-both=red$ros";
    const stored = (await server.send("GET", "/SearchParameter/color-both")).body;
    await put({ ...stored, description: "only the text" });
    expect(await server.ids(found)).toEqual(["c1", "c3"]);
    await put({ ...stored, expression: "Patient.contact" });
    expect(await isPending(found)).toBe(true);
    await reindex();
    expect(await server.ids(found)).toEqual(["c3"]);
    await put({ ...stored, status: "retired" });
    expect(await isUnknown(found)).toBe(true);
    await put(stored);
    expect(await isPending(found)).toBe(true);
    await reindex();
    expect(await server.ids(found)).toEqual(["c1", "c3"]);
    const { rest } = (await server.send("GET", "/metadata")).body;
    const patient = rest[0].resource.find(({ type }: Json) => type === "Patient");
    expect(patient.searchParam).toContainEqual({
      name: "color-both",
      definition: `${OWN}color-both`,
      type: "composite",
    });
    await server.send("DELETE", "/SearchParameter/color-both");
    expect(await isUnknown(found)).toBe(true);
  });
});

describe("a composite that cannot be carried out", () => {
  const CODE: Component = [`${R4}clinical-code`, "code"];
  const WHOLE = "Observation";
  it.each<[string, string, readonly Component[], string]>([
    ["one component", WHOLE, [CODE], "component"],
    ["an unknown definition", WHOLE, [CODE, [`${R4}nothing`, "status"]], "component[1].definition"],
    ["another version", WHOLE, [CODE, [`${R4}Observation-status|3.0.0`, "status"]], "component[1].definition"],
    [
      "a composite as component",
      WHOLE,
      [CODE, [`${R4}Observation-code-value-date`, "status"]],
      "component[1].definition",
    ],
    ["a special component", WHOLE, [CODE, [`${R4}Location-near`, "status"]], "component[1].definition"],
    ["no expression", WHOLE, [CODE, [`${R4}Observation-status`, ""]], "component[1].expression"],
    ["an unknown element", WHOLE, [CODE, [`${R4}Observation-status`, "stat"]], "component[1].expression"],
    ["what does not fit", WHOLE, [CODE, [`${R4}Observation-status`, "subject"]], "component[1].expression"],
    [
      "a path from the resource in an element",
      "Observation.component",
      [[CODE[0], "Observation.code"], CODE],
      "component[0].expression",
    ],
    ["an unknown context", "Observation.part", [CODE, CODE], "expression"],
    ["nothing of the type", "Patient", [CODE, CODE], "expression"],
    [
      "a pair that is not stored",
      "Observation.component",
      [[`${R4}Observation-value-date`, "value"], CODE],
      "component",
    ],
    ["three in an element", "Observation.component", [CODE, CODE, CODE], "component"],
  ])("%s: 400 with the element", async (_, expression, components, element) => {
    const wrong = composite("wrong", "Observation", expression, components);
    const answer = await put(JSON.parse(JSON.stringify(wrong).replaceAll(',"expression":""', "")));
    expect([answer.status, answer.body.issue[0].expression], answer.text).toEqual([
      400,
      [`SearchParameter.${element}`],
    ]);
    expect((await server.send("GET", "/SearchParameter/wrong")).status).toBe(404);
  });

  it.each([
    ["components of another type", { type: "string", expression: "Patient.name" }, "component"],
    ["a special parameter", { type: "special", component: undefined }, "type"],
  ])("%s: 400 with the element", async (_, fields, element) => {
    const answer = await put({ ...composite("wrong", "Patient", "Patient", [CODE, CODE]), ...fields });
    expect([answer.status, answer.body.issue[0].expression], answer.text).toEqual([
      400,
      [`SearchParameter.${element}`],
    ]);
  });
});

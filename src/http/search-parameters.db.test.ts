import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selectionSql } from "../search/type-filter.ts";
import { sql, statement } from "../postgres/sql.ts";
import { openReindexServer } from "./testing/reindex-server.ts";
import { BASE, type Answer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openReindexServer();
});
afterAll(() => server.close());

const R4_GIVEN = "http://hl7.org/fhir/SearchParameter/individual-given";
const EXTENSION = "http://example.org/fhir/StructureDefinition/";

function parameter(id: string, fields: Record<string, unknown>): Json {
  return {
    resourceType: "SearchParameter",
    id,
    url: `http://example.org/fhir/SearchParameter/${id}`,
    name: id,
    status: "active",
    description: id,
    code: id,
    base: ["Patient"],
    ...fields,
  };
}

function onExtension(id: string, type: string, fields: Record<string, unknown> = {}): Json {
  return parameter(id, { type, expression: `Patient.extension.where(url='${EXTENSION}${id}').value`, ...fields });
}

function patient(id: string, extension: Record<string, unknown> = {}): Json {
  const extensions = Object.entries(extension).map(([name, value]) => ({
    url: `${EXTENSION}${name}`,
    ...(value as Json),
  }));
  return { resourceType: "Patient", id, ...(extensions.length > 0 && { extension: extensions }) };
}

async function put(resource: Json): Promise<Answer> {
  return await server.send("PUT", `/${resource.resourceType}/${resource.id}`, resource);
}

/** Starts `$reindex` and waits for its end. */
async function reindex(): Promise<Json> {
  const started = await server.send("POST", "/$reindex", undefined, { prefer: "respond-async" });
  expect(started.status).toBe(202);
  const path = (started.headers["content-location"] ?? "").replace(/^.*\/fhir/, "");
  for (;;) {
    const status = await server.send("GET", path);
    if (status.status !== 202) {
      expect(status.status, status.text).toBe(200);
      return status.body;
    }
    expect(status.headers["x-progress"]).toMatch(/^\d+% /);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function issueOf(answer: Answer): Json {
  return answer.body.issue[0];
}

describe("a custom search parameter", () => {
  const KINDS: [type: string, code: string, early: Json, late: Json, query: string, other: string][] = [
    [
      "token",
      "eye",
      { valueCodeableConcept: { coding: [{ system: "urn:c", code: "blue", display: "Sky blue" }] } },
      { valueCoding: { system: "urn:c", code: "blue" } },
      "urn:c|blue",
      "green",
    ],
    ["string", "nick", { valueString: "Ümit the Great" }, { valueString: "umit" }, "umi", "great"],
    ["date", "seen", { valueDate: "2020-05-01" }, { valueDateTime: "2020-05-01T10:00:00Z" }, "2020-05-01", "2021"],
    ["number", "score", { valueInteger: 7 }, { valueDecimal: 7.0 }, "7", "8"],
    [
      "quantity",
      "dose",
      { valueQuantity: { value: 5, unit: "mg", system: "http://unitsofmeasure.org", code: "mg" } },
      { valueQuantity: { value: 5, code: "mg", system: "http://unitsofmeasure.org" } },
      "5|http://unitsofmeasure.org|mg",
      "6",
    ],
    [
      "reference",
      "school",
      { valueReference: { reference: "Organization/o1" } },
      { valueReference: { reference: "Organization/o1" } },
      "Organization/o1",
      "Organization/o2",
    ],
    [
      "uri",
      "page",
      { valueUri: "http://x.example/a" },
      { valueUrl: "http://x.example/a" },
      "http://x.example/a",
      "http://x.example/",
    ],
  ];

  it.each(KINDS)(
    "of type %s is searched by after $reindex: what was there before it, and after",
    async (type, code, early, late, query, other) => {
      await put(patient(`early-${code}`, { [code]: early }));
      expect((await server.send("POST", "/SearchParameter", onExtension(code, type))).status).toBe(201);
      await put(patient(`late-${code}`, { [code]: late }));
      const pending = await server.send("GET", `/Patient?${code}=${encodeURIComponent(query)}`);
      expect([pending.status, issueOf(pending).code]).toEqual([400, "not-supported"]);
      expect(issueOf(pending).diagnostics).toContain("$reindex");
      const result = await reindex();
      expect(result.parameter).toContainEqual({ name: "status", valueCode: "completed" });
      expect(await server.ids(`/Patient?${code}=${encodeURIComponent(query)}`)).toEqual([
        `early-${code}`,
        `late-${code}`,
      ]);
      expect(await server.ids(`/Patient?${code}=${encodeURIComponent(other)}`)).toEqual([]);
      expect(await server.ids(`/Patient?${code}:missing=false`)).toEqual([`early-${code}`, `late-${code}`]);
      expect(await server.ids(`/Patient?${code}:missing=true&_id=early-${code},late-${code}`)).toEqual([]);
    },
  );

  it("takes the modifiers, chains, includes and orders of its type", async () => {
    await put({ resourceType: "Organization", id: "o1", name: "Hill School" });
    expect(await server.ids("/Patient?eye:text=sky")).toEqual(["early-eye"]);
    expect(await server.ids("/Patient?eye:not=blue&_id=early-eye,early-nick")).toEqual(["early-nick"]);
    expect(await server.ids("/Patient?nick:contains=great")).toEqual(["early-nick"]);
    expect(await server.ids("/Patient?school:Organization.name=hill")).toEqual(["early-school", "late-school"]);
    expect(await server.ids("/Organization?_has:Patient:school:_id=early-school")).toEqual(["o1"]);
    const included = await server.send("GET", "/Patient?_id=early-school&_include=Patient:school");
    expect(included.body.entry.map((entry: Json) => entry.resource.id)).toEqual(["early-school", "o1"]);
    expect((await server.send("GET", "/Patient?_id=early-school&_include=Patient:*")).body.entry).toHaveLength(2);
    expect((await server.send("GET", "/Organization?_id=o1&_revinclude=Patient:school")).body.entry).toHaveLength(3);
    const sorted = await server.send("GET", "/Patient?seen:missing=false&_sort=-seen");
    expect(sorted.body.entry.map((entry: Json) => entry.resource.id)).toEqual(["late-seen", "early-seen"]);
    await put(patient("eye-2", { eye: { valueCodeableConcept: { coding: [{ code: "azure" }] } } }));
    const byToken = await server.send("GET", "/Patient?eye:missing=false&_sort=eye,_id");
    expect(byToken.body.entry.map((entry: Json) => entry.resource.id)).toEqual(["eye-2", "early-eye", "late-eye"]);
    expect(await server.ids("/Patient?page:below=http://x.example/")).toEqual(["early-page", "late-page"]);
    expect(await server.ids("/Patient?score=gt6.5&dose=lt6")).toEqual([]);
  });

  it("chooses resources of an export", async () => {
    const rules = { baseUrl: BASE, dateEquality: "contain" } as const;
    const selected = await selectionSql(server.database.pool, { type: "Patient", queries: ["nick=umi"] }, rules);
    const { rows } = await server.database.pool.query<{ id: string }>(
      statement(
        sql`select h.id from search_resource r join resource_current h on h.key = r.key where ${selected} order by h.id`,
      ),
    );
    expect(rows.map(({ id }) => id)).toEqual(["early-nick", "late-nick"]);
  });

  it("stands in /metadata when it can be searched by", async () => {
    await put(onExtension("shoe", "number"));
    const shown = async (): Promise<string[]> => {
      const { rest } = (await server.send("GET", "/metadata")).body;
      const type = rest[0].resource.find(({ type }: Json) => type === "Patient");
      return type.searchParam.map(({ name }: Json) => name);
    };
    expect(await shown()).toContain("eye");
    expect(await shown()).not.toContain("shoe");
    await reindex();
    expect(await shown()).toContain("shoe");
    await server.send("DELETE", "/SearchParameter/shoe");
    expect(await shown()).not.toContain("shoe");
  });

  it("that is deleted is unknown at once, and pending when it comes again", async () => {
    await put(patient("p-hat", { hat: { valueString: "red" } }));
    await put(onExtension("hat", "string"));
    await reindex();
    expect(await server.ids("/Patient?hat=red")).toEqual(["p-hat"]);
    await server.send("DELETE", "/SearchParameter/hat");
    const unknown = await server.send("GET", "/Patient?hat=red&_id=p-hat");
    expect(unknown.body.entry.at(-1).resource.issue[0].diagnostics).toContain("not known");
    expect((await server.send("GET", "/Patient?hat=red", undefined, { prefer: "handling=strict" })).status).toBe(400);
    await put(onExtension("hat", "string"));
    expect((await server.send("GET", "/Patient?hat=red")).status).toBe(400);
    await reindex();
    expect(await server.ids("/Patient?hat=red")).toEqual(["p-hat"]);
    await put({ ...onExtension("hat", "string"), status: "retired" });
    expect((await server.send("GET", "/Patient?hat=red", undefined, { prefer: "handling=strict" })).status).toBe(400);
  });

  it("that changes is pending again, and finds nothing of what it was", async () => {
    await put(patient("p-tie", { tie: { valueString: "old" }, bow: { valueString: "new" } }));
    await put(onExtension("tie", "string"));
    await reindex();
    const changed = { ...onExtension("tie", "string"), expression: `Patient.extension('${EXTENSION}bow').value` };
    expect((await put({ ...onExtension("tie", "string"), description: "only the text" })).status).toBe(200);
    expect(await server.ids("/Patient?tie=old")).toEqual(["p-tie"]);
    expect((await put(changed)).status).toBe(200);
    expect((await server.send("GET", "/Patient?tie=old")).status).toBe(400);
    await reindex();
    expect(await server.ids("/Patient?tie=old")).toEqual([]);
    expect(await server.ids("/Patient?tie=new")).toEqual(["p-tie"]);
  });

  it("can be patched", async () => {
    await put(patient("p-scarf", { scarf: { valueString: "wool" } }));
    await put(onExtension("scarf", "string"));
    await reindex();
    const patch = async (path: string, value: string): Promise<number> => {
      const operations = [{ op: "replace", path, value }];
      const type = { "content-type": "application/json-patch+json" };
      return (await server.send("PATCH", "/SearchParameter/scarf", operations, type)).status;
    };
    expect(await patch("/description", "Around the neck")).toBe(200);
    expect(await server.ids("/Patient?scarf=wool")).toEqual(["p-scarf"]);
    expect(await patch("/expression", "Patient.nothing")).toBeGreaterThanOrEqual(400);
    expect(await server.ids("/Patient?scarf=wool")).toEqual(["p-scarf"]);
    expect(await patch("/code", "shawl")).toBe(200);
    expect((await server.send("GET", "/Patient?shawl=wool")).status).toBe(400);
    await reindex();
    expect(await server.ids("/Patient?shawl=wool")).toEqual(["p-scarf"]);
  });

  it("is defined and removed in a transaction, and removed for good", async () => {
    const bundle = {
      resourceType: "Bundle",
      type: "transaction",
      entry: [
        {
          resource: patient("p-ring", { ring: { valueString: "gold" } }),
          request: { method: "PUT", url: "Patient/p-ring" },
        },
        { resource: onExtension("ring", "string"), request: { method: "PUT", url: "SearchParameter/ring" } },
      ],
    };
    expect((await server.send("POST", "/", bundle)).status).toBe(200);
    await reindex();
    expect(await server.ids("/Patient?ring=gold")).toEqual(["p-ring"]);
    expect((await server.send("DELETE", "/SearchParameter/ring?hardDelete=true")).status).toBe(204);
    expect((await server.send("GET", "/Patient?ring=gold", undefined, { prefer: "handling=strict" })).status).toBe(400);
  });

  it("is for all types when its base is abstract", async () => {
    await put({ resourceType: "Basic", id: "b1", code: {}, extension: [{ url: `${EXTENSION}mark`, valueCode: "m" }] });
    await put(patient("p-mark", { mark: { valueCode: "m" } }));
    const expression = `DomainResource.extension('${EXTENSION}mark').value.ofType(code)`;
    await put(parameter("mark", { base: ["DomainResource"], type: "token", expression }));
    await reindex();
    expect(await server.ids("/Basic?mark=m")).toEqual(["b1"]);
    expect(await server.ids("/?mark=m&_type=Basic,Patient")).toEqual(["b1", "p-mark"]);
  });

  it("can be the condition of a conditional interaction", async () => {
    const again = await server.send("POST", "/Patient", patient("x"), { "if-none-exist": "ring2=gold" });
    expect(again.status).toBe(400);
    const found = await server.send("POST", "/Patient", patient("x"), { "if-none-exist": "nick:exact=umit" });
    expect([found.status, found.body.id]).toEqual([200, "late-nick"]);
  });
});

describe("a definition that cannot be carried out", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["no code", { code: undefined }, "SearchParameter.code"],
    ["a code with a colon", { code: "a:b" }, "SearchParameter.code"],
    ["no base", { base: undefined }, "SearchParameter.base"],
    ["an unknown base", { base: ["Patinet"] }, "SearchParameter.base"],
    ["no type", { type: undefined }, "SearchParameter.type"],
    ["a composite without components", { type: "composite" }, "SearchParameter.component"],
    ["a special one", { type: "special" }, "SearchParameter.type"],
    ["an unknown element", { expression: "Patient.nickname" }, "SearchParameter.expression"],
    ["an unknown function", { expression: "Patient.name.family.lower()" }, "SearchParameter.expression"],
    ["elements that do not fit", { expression: "Patient.maritalStatus" }, "SearchParameter.expression"],
    ["another type's elements", { expression: "Practitioner.name" }, "SearchParameter.expression"],
    ["no FHIRPath", { expression: "Patient.name.(" }, "SearchParameter.expression"],
    [
      "an unknown target",
      { type: "reference", expression: "Patient.link.other", target: ["Nobody"] },
      "SearchParameter.target",
    ],
  ])("%s: 400 with the element", async (_, fields, element) => {
    const answer = await put(parameter("wrong", { type: "string", expression: "Patient.name.given", ...fields }));
    expect([answer.status, issueOf(answer).expression?.[0]], answer.text).toEqual([
      400,
      expect.stringMatching(new RegExp(`^${element}`)),
    ]);
    expect((await server.send("GET", "/SearchParameter/wrong")).status).toBe(404);
  });
});

describe("a definition whose code another stored one has", () => {
  const TAKEN = "SearchParameter.code: Patient has a search parameter 'same' already, by SearchParameter/one, which";
  const one = parameter("one", { type: "string", expression: "Patient.name.text", code: "same" });
  /** One of its types is one of the first definition. */
  const wide = parameter("two", {
    type: "string",
    expression: "Patient.name.given | Basic.code.text",
    code: "same",
    base: ["Basic", "Patient"],
  });
  const issue = { severity: "warning", code: "not-supported", expression: ["SearchParameter.code"] };

  it("is stored with a warning on every path, and the first one answers", async () => {
    await put({ ...patient("p-same"), name: [{ text: "Full", given: ["First"] }] });
    expect((await put(one)).status).toBe(201);
    const expected = [{ ...issue, diagnostics: expect.stringContaining(TAKEN) }];
    const answer = await put(wide);
    expect([answer.status, answer.headers["warning"]]).toEqual([201, expect.stringContaining("SearchParameter/one")]);
    const { id: _, ...anonymous } = wide;
    expect((await server.send("POST", "/SearchParameter", anonymous)).headers["warning"]).toContain("one");
    const asked = { prefer: "return=OperationOutcome" };
    const said = await server.send("PUT", "/SearchParameter/two", wide, asked);
    expect(said.body.issue.slice(1)).toEqual(expected);
    for (const type of ["batch", "transaction"]) {
      const entry = [{ resource: wide, request: { method: "PUT", url: "SearchParameter/two" } }];
      const { body } = await server.send("POST", "/", { resourceType: "Bundle", type, entry });
      expect(body.entry[0].response.outcome.issue).toEqual(expected);
    }
    const valid = await server.send("POST", "/SearchParameter/$validate", wide);
    expect(valid.body.issue.filter((each: Json) => each.severity === "warning")).toEqual(expected);
    const own = await server.send("POST", "/SearchParameter/$validate", one);
    expect(own.body.issue.filter((each: Json) => each.severity === "warning")).toEqual([]);
    await reindex();
    expect(await server.ids("/Patient?same=full")).toEqual(["p-same"]);
    expect(await server.ids("/Patient?same=first")).toEqual([]);
    const strict = await server.send("GET", "/Basic?same=x", undefined, { prefer: "handling=strict" });
    expect(strict.status).toBe(400);
    // Writing the first one again changes nothing.
    expect((await put(one)).headers["warning"]).toBeUndefined();
    expect(await server.ids("/Patient?same=full")).toEqual(["p-same"]);
  });

  it("is indexed when it is written again after the first one is gone, also in one transaction", async () => {
    expect((await server.send("DELETE", "/SearchParameter/one")).status).toBe(204);
    const unknown = await server.send("GET", "/Patient?same=full", undefined, { prefer: "handling=strict" });
    expect(unknown.status).toBe(400);
    expect((await put(wide)).headers["warning"]).toBeUndefined();
    await reindex();
    expect(await server.ids("/Patient?same=first")).toEqual(["p-same"]);
    // The deletion counts first, wherever it stands.
    const entry = [
      { resource: one, request: { method: "PUT", url: "SearchParameter/one" } },
      { request: { method: "DELETE", url: "SearchParameter/two" } },
    ];
    const { body } = await server.send("POST", "/", { resourceType: "Bundle", type: "transaction", entry });
    expect(body.entry[0].response.outcome).toBeUndefined();
    await reindex();
    expect(await server.ids("/Patient?same=full")).toEqual(["p-same"]);
  });

  it("that was indexed under another code before is so no more", async () => {
    await put({ ...wide, code: "other" });
    await reindex();
    expect(await server.ids("/Patient?other=first")).toEqual(["p-same"]);
    expect((await put(wide)).headers["warning"]).toContain("SearchParameter/one");
    const strict = await server.send("GET", "/Patient?other=first", undefined, { prefer: "handling=strict" });
    expect(strict.status).toBe(400);
    expect(await server.ids("/Patient?same=full")).toEqual(["p-same"]);
  });
});

describe("a definition that is stored, and not indexed", () => {
  const fields = { type: "string", expression: "Patient.name.given" };
  it.each<[string, Record<string, unknown>, "warning" | "information", string]>([
    ["without expression", { expression: undefined }, "warning", "expression"],
    ["of type special without expression", { type: "special", expression: undefined }, "warning", "expression"],
    ["with R4's own code", { code: "birthdate" }, "warning", "code"],
    ["with R4's own code for one of its types", { code: "birthdate", base: ["Basic", "Patient"] }, "warning", "code"],
    ["that ends at an extension", { expression: `Patient.extension('${EXTENSION}x')` }, "warning", "expression"],
    ["a part of which ends at one", { expression: "Patient.name.given | Patient.extension" }, "warning", "expression"],
    ["that repeats one of R4's", { code: "given" }, "information", "code"],
    ["that selects another thing than R4's", { code: "given", expression: "Patient.name.family" }, "warning", "code"],
    [
      "that is derived from R4's",
      { code: "given", expression: "Patient.name.where(use='official').given", derivedFrom: R4_GIVEN },
      "information",
      "code",
    ],
    ["of another type than R4's", { type: "token", code: "given", derivedFrom: R4_GIVEN }, "warning", "code"],
  ])("%s", async (_, changed, severity, element) => {
    const resource = parameter("kept", { ...fields, ...changed });
    const issue = { severity, expression: [`SearchParameter.${element}`] };
    const asked = { prefer: "return=OperationOutcome" };
    const answer = await server.send("PUT", "/SearchParameter/kept", resource, asked);
    expect([200, 201]).toContain(answer.status);
    expect(answer.body.issue).toEqual([
      expect.objectContaining({ severity: "information" }),
      expect.objectContaining(issue),
    ]);
    expect(answer.headers["warning"]).toContain(`SearchParameter.${element}`);
    const valid = await server.send("POST", "/SearchParameter/$validate", resource);
    expect(valid.body.issue).toContainEqual(expect.objectContaining(issue));
    expect(valid.body.issue.some((each: Json) => each.severity === "error")).toBe(false);
    const entry = { resource, request: { method: "PUT", url: "SearchParameter/kept" } };
    const bundle = { resourceType: "Bundle", type: "transaction", entry: [entry] };
    const { body } = await server.send("POST", "/", bundle);
    expect(body.entry[0].response.outcome.issue).toEqual([expect.objectContaining(issue)]);
    const stored = (await server.send("GET", "/SearchParameter/kept")).body;
    expect(stored).toMatchObject(JSON.parse(JSON.stringify(resource)));
  });

  it("leaves R4's own parameter, and no other name to search by", async () => {
    await put(patient("p-born", {}));
    await put({ ...patient("p-born"), birthDate: "1999-09-09" });
    await put(parameter("born", { code: "birthdate", type: "string", expression: "Patient.name.given" }));
    expect(await server.ids("/Patient?birthdate=1999-09-09")).toEqual(["p-born"]);
    await put(parameter("nothing", { type: "string", expression: undefined }));
    const answer = await server.send("GET", "/Patient?nothing=x", undefined, { prefer: "handling=strict" });
    expect(answer.status).toBe(400);
  });

  it("is indexed once it can be, and no longer once it cannot", async () => {
    await put(parameter("becomes", { type: "string", expression: undefined }));
    await put(parameter("becomes", { type: "string", expression: "Patient.name.suffix" }));
    await reindex();
    await put({ ...patient("p-suffix"), name: [{ suffix: ["MD"] }] });
    expect(await server.ids("/Patient?becomes=md")).toEqual(["p-suffix"]);
    await put(parameter("becomes", { type: "string", expression: "Patient.extension" }));
    expect((await server.send("GET", "/Patient?becomes=md", undefined, { prefer: "handling=strict" })).status).toBe(
      400,
    );
  });
});

describe("$reindex", () => {
  it("has nothing to do when all are enabled", async () => {
    await reindex();
    expect((await reindex()).parameter).toContainEqual({ name: "resources", valueDecimal: 0 });
  });
  it("takes no parameters", async () => {
    const body = { resourceType: "Parameters", parameter: [{ name: "maximumConcurrency", valueInteger: 3 }] };
    expect((await server.send("POST", "/$reindex", body)).status).toBe(400);
  });
  it("knows no other operation", async () => {
    expect((await server.send("GET", "/_operations/reindex/999")).status).toBe(404);
    expect((await server.send("DELETE", "/_operations/reindex/x")).status).toBe(404);
  });
});

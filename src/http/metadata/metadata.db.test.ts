import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonValue } from "../../base/json.ts";
import { checkResource } from "../../check/check-resource.ts";
import type { LineIssue } from "../../check/issue.ts";
import { readExportRequest, type ExportRequest } from "../../export/request.ts";
import { INTERACTIONS, OPERATIONS, RESOURCE_FLAGS, SEARCH_FEATURES } from "./capabilities.ts";
import { BASE, openWriteServer, type Json, type WriteServer } from "../testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

function problems(resource: JsonValue): LineIssue[] {
  const issues: LineIssue[] = [];
  checkResource(resource, issues, 10);
  return issues;
}

describe("GET metadata", () => {
  it("is a CapabilityStatement without problems, with what is needed of every type", async () => {
    const { status, body, text } = await server.send("GET", "/metadata");
    expect([status, body.resourceType, body.fhirVersion]).toEqual([200, "CapabilityStatement", "4.0.1"]);
    expect(problems(body)).toEqual([]);
    expect(body.implementation.url).toBe(BASE);
    const [{ resource }] = body.rest;
    expect(resource.length).toBe(146);
    for (const each of resource) {
      expect(each.interaction.map(({ code }: Json) => code)).toContain("search-type");
      expect(each.searchParam.map(({ name }: Json) => name)).toEqual(expect.arrayContaining(["_id", "_lastUpdated"]));
    }
    expect(text.length).toBeLessThan(630_000);
  });

  it("has an ETag, which is another one for another base", async () => {
    const { headers } = await server.send("GET", "/metadata");
    const again = await server.send("GET", "/metadata", undefined, { "if-none-match": headers["etag"] ?? "" });
    expect([again.status, again.text, again.headers["etag"]]).toEqual([304, "", headers["etag"]]);
    expect((await server.send("GET", "/metadata", undefined, { "if-none-match": 'W/"1"' })).status).toBe(200);
    const other = await openWriteServer({ database: server.database, baseUrl: "http://other/fhir" });
    expect((await other.send("GET", "/metadata")).headers["etag"]).not.toBe(headers["etag"]);
    await other.close();
  });

  it("is shortened by _summary and _elements; mode is for servers with several", async () => {
    const whole = (await server.send("GET", "/metadata?_summary=true")).body;
    expect([whole.meta.tag[0].code, whole.fhirVersion, whole.rest[0].resource[0].searchParam]).toEqual([
      "SUBSETTED",
      "4.0.1",
      undefined,
    ]);
    expect(problems(whole)).toEqual([]);
    const summary = (await server.send("GET", "/metadata?_summary=text")).body;
    expect([summary.meta.tag[0].code, summary.rest, problems(summary)]).toEqual(["SUBSETTED", undefined, []]);
    const elements = (await server.send("GET", "/metadata?_elements=software")).body;
    expect(elements.software.name).toBe("Stoker");
    expect(elements.rest).toBeUndefined();
    expect((await server.send("GET", "/metadata?_elements=nothing")).status).toBe(400);
    expect((await server.send("GET", "/metadata?mode=full")).body.rest.length).toBe(1);
  });
});

/** The parameters of Bulk Data Access, and those of others: a value that is right wherever there is the parameter. */
const EXPORT_SAMPLES: Record<string, string> = {
  _type: "Patient",
  _since: "2026-01-01T00:00:00Z",
  _until: "2026-01-01T00:00:00Z",
  _typeFilter: "Patient?gender=male",
  _elements: "Patient.gender",
  patient: "Patient/p",
  includeAssociatedData: "_history",
  _outputFormat: "ndjson",
  _container: "c",
  organizeOutputBy: "Patient",
  allowPartialManifests: "true",
  _maxCount: "5",
  _till: "2026-01-01T00:00:00Z",
};

describe("OperationDefinitions", () => {
  it("that the CapabilityStatement says are here, are", async () => {
    const { body } = await server.send("GET", "/metadata");
    const operations: Json[] = [
      ...(body.rest[0].operation ?? []),
      ...body.rest[0].resource.flatMap(({ operation }: Json) => operation ?? []),
    ];
    const definitions = [...new Set(operations.map(({ definition }) => definition as string))];
    expect(definitions).toContain(`${BASE}/OperationDefinition/stoker-import`);
    for (const url of definitions.filter((definition) => definition.startsWith(BASE))) {
      const answer = await server.send("GET", url.slice(BASE.length));
      expect([answer.status, answer.body?.url], url).toEqual([200, url]);
      expect(problems(answer.body)).toEqual([]);
      expect(operations.find(({ definition }) => definition === url).name).toBe(answer.body.code);
    }
  });

  it("of exports: Bulk Data Access's own are named, and what of them is here is said by those of this server", async () => {
    const { body } = await server.send("GET", "/metadata");
    const places: [string, string, ExportRequest["level"], Json][] = [
      ["export", "stoker-export", "system", body.rest[0]],
      ...(["Patient", "Group"] as const).map((type): [string, string, ExportRequest["level"], Json] => [
        `${type.toLowerCase()}-export`,
        `stoker-${type.toLowerCase()}-export`,
        type === "Patient" ? "patient" : "group",
        body.rest[0].resource.find((each: Json) => each.type === type),
      ]),
    ];
    for (const [name, id, level, { operation }] of places) {
      const published = `http://hl7.org/fhir/uv/bulkdata/OperationDefinition/${name}`;
      const own = `${BASE}/OperationDefinition/${id}`;
      const documentation = `Supported subset: ${own}`;
      expect(operation).toContainEqual({ name, definition: published, documentation });
      const definition = (await server.send("GET", `/OperationDefinition/${id}`)).body;
      expect(problems(definition)).toEqual([]);
      expect(definition).toMatchObject({ url: own, base: published, code: "export", kind: "operation" });
      expect([definition.system, definition.type, definition.instance, definition.resource]).toEqual([
        level === "system",
        level === "patient",
        level === "group",
        level === "system" ? undefined : [level === "patient" ? "Patient" : "Group"],
      ]);
      // Just those that a kick-off of the level may have.
      const isTaken = (parameter: string): boolean => {
        const query = [[parameter, EXPORT_SAMPLES[parameter] ?? "x"]] as const;
        try {
          readExportRequest({ level, query, prefer: "respond-async", body: undefined, baseUrl: BASE });
          return true;
        } catch {
          return false;
        }
      };
      const names = definition.parameter.map((parameter: Json) => parameter.name);
      expect(names).toEqual(Object.keys(EXPORT_SAMPLES).filter(isTaken));
    }
  });

  it("give way to one that is stored under their id, and come back when it is deleted", async () => {
    const path = "/OperationDefinition/stoker-import";
    const stored = { resourceType: "OperationDefinition", id: "stoker-import", name: "Stored", status: "draft" };
    expect((await server.send("GET", `${path}?_elements=code`)).body.code).toBe("import");
    const put = await server.send("PUT", path, stored);
    expect(put.status, put.text).toBe(201);
    expect((await server.send("GET", path)).body).toMatchObject({ name: "Stored", meta: { versionId: "1" } });
    await server.send("DELETE", path);
    expect((await server.send("GET", path)).body.name).toBe("Import");
  });
});

describe("what the tables say is so", () => {
  const basic = { resourceType: "Basic", id: "b", code: { text: "b" } };
  const jsonPatch = { "content-type": "application/json-patch+json" };

  beforeAll(async () => {
    await server.send("PUT", "/Basic/b", basic);
    await server.send("PUT", "/Patient/p", { resourceType: "Patient", id: "p" });
  });

  type Sample = [method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: Json, headers?: Json];
  const samples: Record<string, Sample> = {
    read: ["GET", "/Basic/b"],
    vread: ["GET", "/Basic/b/_history/1"],
    "history-instance": ["GET", "/Basic/b/_history"],
    "history-type": ["GET", "/Basic/_history"],
    "history-system": ["GET", "/_history"],
    "search-type": ["GET", "/Basic"],
    "search-system": ["GET", "/?_type=Basic"],
    create: ["POST", "/Basic", basic],
    update: ["PUT", "/Basic/b", basic],
    patch: ["PATCH", "/Basic/b", [{ op: "test", path: "/id", value: "b" }], jsonPatch],
    delete: ["DELETE", "/Basic/none"],
    batch: ["POST", "/", { resourceType: "Bundle", type: "batch" }],
    transaction: ["POST", "/", { resourceType: "Bundle", type: "transaction" }],
    conditionalCreate: ["POST", "/Basic", basic, { "if-none-exist": "_id=b" }],
    conditionalUpdate: ["PUT", "/Basic?_id=b", basic],
    conditionalDelete: ["DELETE", "/Basic?_id=b"],
    conditionalRead: ["GET", "/Patient/p", undefined, { "if-none-match": 'W/"1"' }],
  };
  const codes = INTERACTIONS.flatMap(({ type, system }) => [type ?? [], system ?? []].flat());
  const conditional = [
    ...Object.keys(RESOURCE_FLAGS).filter((name) => name.startsWith("conditional")),
    "conditionalDelete",
  ];
  it.each([...codes, ...conditional])("%s", async (code) => {
    const sample = samples[code];
    if (sample === undefined) throw new Error(`no sample of ${code}`);
    const { status, text } = await server.send(...sample);
    expect(status, text).toBeLessThan(400);
  });

  // An export needs threads: test/export.test.ts sends its requests.
  const operations = OPERATIONS.filter(({ name }) => name !== "export").map(({ name, request }) => [name, request]);
  it.each(operations)("$%s: %s", async (_name, requests) => {
    // Each has an answer of its own to a request without parameters; that there is no such path is not one.
    for (const [, method, path = ""] of requests.matchAll(/`(GET|POST) ([^`]+)`/g)) {
      const url = `/${path.replaceAll("[type]", "Patient").replaceAll("[id]", "p").replace(/[?].*/, "")}`;
      const { status, text } = await server.send(method as "GET", url, method === "POST" ? {} : undefined);
      expect([404, 405], `${url} ${text}`).not.toContain(status);
      expect(status, text).toBeLessThan(500);
    }
  });

  it("every include that is listed can be asked for", async () => {
    const { body } = await server.send("GET", "/metadata");
    // One of them refers by canonical URLs.
    const types = body.rest[0].resource.filter(({ type }: Json) =>
      ["ActivityDefinition", "Observation"].includes(type),
    );
    expect(types.length).toBe(2);
    for (const { type, searchInclude, searchRevInclude } of types) {
      const includes = [
        ...searchInclude.map((each: string) => `_include=${each}`),
        ...searchRevInclude.map((each: string) => `_revinclude=${each}`),
      ];
      for (const include of includes) {
        const { status } = await server.send("GET", `/${type}?_id=x&${include}`);
        expect([type, include, status]).toEqual([type, include, 200]);
      }
    }
    expect(types[0].searchInclude).toContain("ActivityDefinition:depends-on");
  });

  it("every search parameter that is listed can be searched by", async () => {
    const { body } = await server.send("GET", "/metadata");
    const listed = body.rest[0].resource.flatMap(({ type, searchParam }: Json) =>
      ["Patient", "Observation", "Location", "Bundle", "SearchParameter"].includes(type)
        ? searchParam.map(({ name }: Json) => [type, name])
        : [],
    );
    const own: Record<string, string> = {
      _id: "_id=x",
      _lastUpdated: "_lastUpdated=gt2020",
      _text: "_text=x",
      _content: "_content=x",
      near: "near=1|1|1|km",
    };
    for (const [type, name] of listed) {
      const path = `/${type}?${own[name] ?? `${name}:missing=true`}&_count=1`;
      const { status, text } = await server.send("GET", path, undefined, { prefer: "handling=strict" });
      expect([path, status], text.slice(0, 300)).toEqual([path, 200]);
    }
  });

  const values: Record<string, string> = {
    _has: "_has:Observation:patient:status=final",
    _list: "_list=l",
    _text: "_text=lung",
    _content: "_content=lung",
    _sort: "_sort=-birthdate",
    _include: "_include=*",
    _revinclude: "_revinclude=Observation:subject",
    _summary: "_summary=data",
    _elements: "_elements=name",
    _count: "_count=3",
    _total: "_total=accurate",
  };
  const names = SEARCH_FEATURES.flatMap(({ feature }) =>
    [...feature.matchAll(/`(_\w+)`/g)].map((match) => match[1] ?? ""),
  );
  it.each(names)("%s", async (name) => {
    const query = values[name];
    if (query === undefined) throw new Error(`no sample of ${name}`);
    const { status, text } = await server.send("GET", `/Patient?${query}`, undefined, { prefer: "handling=strict" });
    expect(status, text).toBe(200);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BASE, openWriteServer, type Json, type WriteServer } from "../testing/write-server.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openWriteServer();
  await server.send("PUT", "/Patient/p", { resourceType: "Patient", id: "p" });
});
afterAll(() => server.close());

type Entry = [method: string, url: string, resource?: Json, request?: Json];

async function send(type: "batch" | "transaction", entries: readonly Entry[]): Promise<Json> {
  const entry = entries.map(([method, url, resource, request = {}]) => ({
    ...(resource !== undefined && { resource }),
    request: { method, url, ...request },
  }));
  return (await server.send("POST", "/", { resourceType: "Bundle", type, entry })).body;
}

function statuses(bundle: Json): string[] {
  return bundle.entry.map(({ response }: Json) => response.status);
}

const wrong = { resourceType: "Patient", gender: "x", birthDate: "1815-13" };

describe("metadata in a Bundle", () => {
  it.each(["batch", "transaction"] as const)("of type %s is that of GET metadata", async (type) => {
    const alone = await server.send("GET", "/metadata");
    const { etag } = alone.headers;
    const { entry } = await send(type, [
      ["GET", "metadata"],
      ["GET", `${BASE}/metadata?_elements=software`],
      ["GET", "/metadata", undefined, { ifNoneMatch: etag }],
    ]);
    expect(entry[0]).toEqual({ resource: alone.body, response: { status: "200 OK", etag } });
    expect(entry[1].resource).toMatchObject({ software: { name: "Stoker" }, meta: { tag: [{ code: "SUBSETTED" }] } });
    expect(entry[1].resource.rest).toBeUndefined();
    expect(entry[2]).toEqual({ response: { status: "304 Not Modified", etag } });
  });

  it("is nothing that could be written, or has anything below it", async () => {
    const bundle = await send("batch", [
      ["POST", "metadata", wrong],
      ["DELETE", "metadata"],
      ["GET", "metadata/x"],
    ]);
    expect(statuses(bundle)).toEqual(["400 Bad Request", "400 Bad Request", "400 Bad Request"]);
  });
});

describe("$meta in a Bundle", () => {
  it.each(["batch", "transaction"] as const)("of type %s is that of $meta by itself", async (type) => {
    const tag = [{ system: "urn:t", code: "tagged" }];
    await server.send("PUT", "/Basic/tagged", { resourceType: "Basic", id: "tagged", code: {}, meta: { tag } });
    const { entry } = await send(type, [
      ["GET", "Basic/tagged/$meta"],
      [type === "batch" ? "POST" : "GET", "Basic/tagged/$meta"],
      ["GET", "Basic/$meta"],
      ["GET", "$meta"],
    ]);
    const alone = await server.send("GET", "/Basic/tagged/$meta");
    expect(entry[0]).toEqual({ resource: alone.body, response: { status: "200 OK", etag: alone.headers["etag"] } });
    expect(entry[1]).toEqual(entry[0]);
    expect(entry[2].resource.parameter).toEqual([{ name: "return", valueMeta: { tag } }]);
    expect(entry[3].resource).toEqual((await server.send("GET", "/$meta")).body);
  });

  it("that is of nothing, has parameters, or changes something, is an error that says so", async () => {
    const parameters = { resourceType: "Parameters", parameter: [] };
    const bundle = await send("batch", [
      ["GET", "Patient/nobody/$meta"],
      ["GET", "Patinet/$meta"],
      ["GET", "Patient/$meta?mode=x"],
      ["POST", "Patient/p/$meta-add", parameters],
      ["GET", "Patient/$export"],
      ["DELETE", "Patient/p/$meta"],
    ]);
    const bad = "400 Bad Request";
    expect(statuses(bundle)).toEqual(["404 Not Found", bad, bad, bad, bad, bad]);
    const texts = bundle.entry.map(({ response }: Json) => response.outcome.issue[0].diagnostics);
    expect(texts.slice(2)).toEqual([
      "$meta: parameter 'mode' is not supported.",
      expect.stringContaining("$meta-add is not supported in a Bundle"),
      expect.stringContaining("$export is not supported in a Bundle"),
      expect.stringContaining("$meta is not supported in a Bundle in this way"),
    ]);
  });
});

async function etagNow(): Promise<string | undefined> {
  return (await server.send("GET", "/Patient/p")).headers["etag"];
}

describe("the envelope of a Bundle", () => {
  const patient = { resourceType: "Patient", id: "p" };
  it.each<[string, Json, string]>([
    ["ifMatch that is a number", { ifMatch: 99 }, "request.ifMatch"],
    ["ifMatch in another spelling", { ifmatch: 'W/"99"' }, "request.ifmatch"],
    ["ifNoneMatch in a list", { ifNoneMatch: ["*"] }, "request.ifNoneMatch"],
    ["element that there is not", { if: "new" }, "request.if"],
  ])("is checked: an %s is no update without a condition", async (_name, request, path) => {
    const before = await etagNow();
    const whole = await send("transaction", [["PUT", "Patient/p", patient, request]]);
    expect(whole.issue[0]).toMatchObject({ severity: "error", expression: [`Bundle.entry[0].${path}`] });
    const { entry } = await send("batch", [
      ["PUT", "Patient/p", patient, request],
      ["GET", "Patient/p"],
    ]);
    expect(statuses({ entry })).toEqual(["400 Bad Request", "200 OK"]);
    expect(entry[0].response.outcome.issue[0].expression).toEqual([path]);
    expect(await etagNow()).toBe(before);
  });

  it("has no member twice, and none that is not R4's", async () => {
    const before = await etagNow();
    const twice = await server.send(
      "POST",
      "/",
      `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":${JSON.stringify(patient)},
        "request":{"method":"PUT","url":"Patient/p","ifMatch":"W/\\"99\\"","ifMatch":""}}]}`,
    );
    expect([twice.status, twice.body.issue[0].expression]).toEqual([400, ["Bundle.entry[0].request.ifMatch"]]);
    const other = await server.send("POST", "/", { resourceType: "Bundle", type: "batch", entries: [] });
    expect([other.status, other.body.issue[0].expression]).toEqual([400, ["Bundle.entries"]]);
    expect(await etagNow()).toBe(before);
  });
});

function form(data: string, contentType = "application/x-www-form-urlencoded"): Json {
  return { resourceType: "Binary", contentType, data: Buffer.from(data).toString("base64") };
}

describe("searches in a Bundle", () => {
  it("may have _search in their path, and spaces", async () => {
    const { entry } = await send("batch", [
      ["GET", "Patient/_search?_id=p"],
      ["GET", "_search?_type=Patient&_id=p"],
      ["GET", "Patient/p/Observation/_search?status=final"],
      ["GET", "Patient/p/_search"],
      ["GET", "Patient?name=Ada Lovelace"],
    ]);
    expect(entry.map(({ resource, response }: Json) => [response.status, resource?.link[0].url])).toEqual([
      ["200 OK", `${BASE}/Patient?_id=p`],
      ["200 OK", `${BASE}?_type=Patient&_id=p`],
      ["200 OK", `${BASE}/Patient/p/Observation?status=final`],
      ["400 Bad Request", undefined],
      ["200 OK", `${BASE}/Patient?name=Ada%20Lovelace`],
    ]);
  });

  it("may be POST entries, with their parameters in the URL, as Parameters or as a form", async () => {
    const parameters = { resourceType: "Parameters", parameter: [{ name: "_id", valueString: "p" }] };
    await server.send("PUT", "/Observation/o", {
      resourceType: "Observation",
      id: "o",
      status: "final",
      code: { text: "c" },
      subject: { reference: "Patient/p" },
    });
    for (const type of ["batch", "transaction"] as const) {
      const { entry } = await send(type, [
        ["POST", "Patient/_search?_id=p"],
        ["POST", "Patient/_search", form("_id=p")],
        ["POST", "Patient/_search", parameters],
        ["POST", `${BASE}/_search?_type=Patient`, form("_id=p")],
        ["POST", "Patient/p/Observation/_search", form("status=final")],
      ]);
      expect(entry.map(({ resource, response }: Json) => [response.status, resource?.link[0].url])).toEqual([
        ["200 OK", `${BASE}/Patient?_id=p`],
        ["200 OK", `${BASE}/Patient?_id=p`],
        ["200 OK", `${BASE}/Patient?_id=p`],
        ["200 OK", `${BASE}?_type=Patient&_id=p`],
        ["200 OK", `${BASE}/Patient/p/Observation?status=final`],
      ]);
      expect(entry.map(({ resource }: Json) => resource.entry[0].resource.id)).toEqual(["p", "p", "p", "p", "o"]);
    }
    const { entry } = await send("batch", [
      ["POST", "Patient/_search", form("_id=p", "text/plain")],
      ["POST", "Patient/_search", { resourceType: "Patient" }],
    ]);
    for (const { response } of entry) {
      expect([response.status, response.outcome.issue[0].code]).toEqual(["400 Bad Request", "structure"]);
    }
  });

  it("and reads by HEAD have no resource", async () => {
    const { entry } = await send("batch", [
      ["HEAD", "Patient/p"],
      ["HEAD", "Patient?_id=p"],
    ]);
    expect(entry.map(({ resource, response }: Json) => [response.status, resource])).toEqual([
      ["200 OK", undefined],
      ["200 OK", undefined],
    ]);
    expect(entry[0].response.etag).toBe('W/"1"');
  });
});

it("OperationDefinitions of the server itself are there in a Bundle, too", async () => {
  const { entry } = await send("batch", [
    ["GET", "OperationDefinition/stoker-import"],
    ["GET", "OperationDefinition/stoker-nothing"],
  ]);
  expect(entry.map(({ resource, response }: Json) => [response.status, resource?.code])).toEqual([
    ["200 OK", "import"],
    ["404 Not Found", undefined],
  ]);
});

describe("$validate in a batch", () => {
  it("says what it says alone, of a type and of a resource", async () => {
    const cases: [url: string, resource?: Json][] = [
      ["Patient/$validate", wrong],
      ["Patient/$validate?mode=update", { resourceType: "Patient" }],
      ["Patient/$validate", { resourceType: "Parameters", parameter: [{ name: "resource", resource: wrong }] }],
      ["Patient/p/$validate", { resourceType: "Patient", id: "other" }],
      ["Patient/p/$validate"],
      ["Observation/$validate", wrong],
    ];
    const bundle = await send(
      "batch",
      cases.map(([url, resource]) => ["POST", url, resource]),
    );
    expect(new Set(statuses(bundle))).toEqual(new Set(["200 OK"]));
    for (const [index, [url, resource]] of cases.entries()) {
      const alone = await server.send("POST", `/${url}`, resource);
      expect(bundle.entry[index].resource.resourceType).toBe("OperationOutcome");
      expect(bundle.entry[index].resource.issue, url).toEqual(alone.body.issue);
    }
    expect(bundle.entry[0].resource.issue.map(({ expression }: Json) => expression[0])).toEqual([
      "Patient.gender",
      "Patient.birthDate",
    ]);
    const [, total] = (await server.send("GET", "/Patient?_total=accurate")).text.match(/"total":(\d+)/) ?? [];
    expect(total).toBe("1");
  });

  it("is read by GET, and fails in its entry", async () => {
    const bundle = await send("batch", [
      ["GET", "Patient/p/$validate"],
      ["POST", "Patient/$validate"],
      ["POST", "Patient/$validate?profile=http://p", wrong],
      ["POST", "Patient/none/$validate"],
      ["POST", "Nothing/$validate", wrong],
      ["PUT", "Patient/$validate", wrong],
      ["GET", "Patient/$validate"],
      ["POST", "$export"],
      ["POST", "Patient/p/$everything"],
    ]);
    const bad = "400 Bad Request";
    // A GET of the type is an operation that Bundles do not have, and no id.
    expect(statuses(bundle)).toEqual(["200 OK", bad, bad, "404 Not Found", bad, bad, bad, bad, bad]);
  });

  it("is refused in a transaction, of which nothing is written", async () => {
    const answer = await send("transaction", [
      ["PUT", "Patient/q", { resourceType: "Patient", id: "q" }],
      ["POST", "Patient/$validate", wrong],
    ]);
    expect(answer.issue[0].expression).toEqual(["Bundle.entry[1].request.url"]);
    expect((await server.send("GET", "/Patient/q")).status).toBe(404);
  });
});

import { brotliDecompressSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "../testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
  await server.send("PUT", "/Observation/digits", DIGITS);
  await server.send("PUT", "/Patient/long", {
    resourceType: "Patient",
    id: "long",
    name: [{ text: "x".repeat(5000) }],
  });
});
afterAll(() => server.close());

const DIGITS =
  '{"resourceType":"Observation","id":"digits","status":"final","code":{"text":"{\\"[,:"},"valueQuantity":{"value":1.10}}';

describe("_format and Accept", () => {
  const paths = ["/metadata", "/Patient/long", "/Patient", "/Patient/long/_history", "/nothing-of-the-kind"];
  it.each(paths)("%s: 406 for what is no JSON, with an OperationOutcome", async (path) => {
    for (const [query, accept] of [
      ["?_format=xml", "application/json"],
      ["?_format=application/fhir%2Bxml", undefined],
      ["", "application/fhir+xml"],
      ["", "application/fhir+json; fhirVersion=3.0"],
    ]) {
      const answer = await server.send("GET", path + query, undefined, accept === undefined ? {} : { accept });
      expect([answer.status, answer.body.resourceType], `${path}${query} ${accept}`).toEqual([406, "OperationOutcome"]);
    }
  });

  it.each(["json", "application/json", "application/fhir+json", "application/fhir%2Bjson", "text/json"])(
    "_format=%s wins over Accept",
    async (format) => {
      const headers = { accept: "application/fhir+xml" };
      const answer = await server.send("GET", `/Patient/long?_format=${format}`, undefined, headers);
      expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/fhir+json; charset=utf-8"]);
    },
  );

  it("counts in the form of a _search, too", async () => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    expect((await server.send("POST", "/Patient/_search", "_format=xml", headers)).status).toBe(406);
    const pretty = await server.send("POST", "/Patient/_search", "_format=json&_pretty=true", headers);
    expect([pretty.status, pretty.text.includes('\n  "resourceType": "Bundle"')]).toEqual([200, true]);
  });

  it("a body of another FHIR version is a 415", async () => {
    const put = (version: string): ReturnType<WriteServer["send"]> =>
      server.send(
        "PUT",
        "/Basic/v",
        { resourceType: "Basic", id: "v" },
        {
          "content-type": `application/fhir+json; fhirVersion=${version}`,
        },
      );
    expect([(await put("3.0")).status, (await put("5.0")).status, (await put("4.0")).status]).toEqual([415, 415, 201]);
    await server.send("DELETE", "/Basic/v");
  });

  it("a body that says it is of another encoding than UTF-8 is a 415", async () => {
    for (const [charset, status] of [
      ["iso-8859-1", 415],
      ['"UTF-16"', 415],
      ["UTF-8", 200],
      ['"utf-8"', 200],
    ] as const) {
      const headers = { "content-type": `application/fhir+json; charset=${charset}` };
      expect((await server.send("PUT", "/Observation/digits", DIGITS, headers)).status, charset).toBe(status);
    }
  });

  it.each<["PUT" | "PATCH" | "POST", string, string, string]>([
    ["PUT", "/Patient/twice", '{"resourceType":"Patient","id":"x","id":"twice"}', "Patient.id"],
    [
      "POST",
      "/Patient",
      '{"resourceType":"Patient","contact":[{"gender":"shoe","gend\\u0065r":"male"}]}',
      "Patient.contact.gender",
    ],
    ["PATCH", "/Observation/digits", '[{"op":"add","path":"/note","value":[{"text":"a","text":"b"}]}]', "value.text"],
    [
      "POST",
      "",
      '{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient","active":1,"active":true},"request":{"method":"POST","url":"Patient"}}]}',
      "Bundle.entry[0].resource.active",
    ],
  ])("a member that comes twice is a 400: %s %s %s", async (method, path, body, expression) => {
    const headers = { "content-type": method === "PATCH" ? "application/json-patch+json" : "application/fhir+json" };
    const answer = await server.send(method, path, body, headers);
    expect([answer.status, answer.body.issue[0].expression]).toEqual([400, [expression]]);
  });

  it("a byte order mark is left out", async () => {
    const body = Buffer.from(`\ufeff{"resourceType":"Patient","id":"bom"}`);
    const answer = await server.send("PUT", "/Patient/bom", body);
    expect([answer.status, answer.text.startsWith('{"resourceType"')]).toEqual([201, true]);
  });

  it("a Content-Type without a body means nothing", async () => {
    await server.send("PUT", "/Patient/typed", { resourceType: "Patient", id: "typed" });
    for (const type of [
      "*/*",
      "text/plain",
      "nonsense",
      "application/fhir+json; fhirVersion=3.0",
      "application/json; charset=latin1",
    ]) {
      for (const more of [
        {},
        { "content-length": "0" },
        ...(type.includes(";") ? [] : [{ "transfer-encoding": "chunked" }]),
      ]) {
        const headers = { "content-type": type, ...more };
        if (type === "nonsense" && "transfer-encoding" in more) continue;
        for (const [method, path, status] of [
          ["GET", "/Patient/typed", 200],
          ["GET", "/Patient/typed/$everything", 200],
          ["POST", "/Patient/typed/$everything", 200],
          ["POST", "/Patient/_search", 200],
          ["POST", "/_search?_type=Patient", 200],
          ["POST", "/Patient/typed/$validate", 200],
          ["POST", "/Patient", 400],
          ["POST", "/Nothing/$here", 404],
          ["DELETE", "/Patient/not-there", 204],
        ] as const) {
          const answer = await server.send(method, path, undefined, headers);
          expect([type, more, method, path, answer.status]).toEqual([type, more, method, path, status]);
        }
      }
    }
    const withBody = await server.send("POST", "/Patient/_search", "<x/>", { "content-type": "text/xml" });
    expect(withBody.status).toBe(415);
    expect((await server.send("POST", "/Nothing/$here", "<x/>", { "content-type": "text/xml" })).status).toBe(404);
  });

  it("writes are refused before anything is written", async () => {
    const answer = await server.send("POST", "/Basic?_format=xml", { resourceType: "Basic" });
    expect(answer.status).toBe(406);
    expect(await server.ids("/Basic")).toEqual([]);
  });
});

it("no answer is taken from a cache without asking, errors and 304 included", async () => {
  const { etag = "" } = (await server.send("GET", "/Patient/long")).headers;
  for (const [path, headers, status] of [
    ["/Patient/long", {}, 200],
    ["/Patient/long", { "if-none-match": etag }, 304],
    ["/Patient", {}, 200],
    ["/Patient/none", {}, 404],
    ["/metadata", {}, 200],
  ] as const) {
    const answer = await server.send("GET", path, undefined, headers);
    expect([answer.status, answer.headers["cache-control"]]).toEqual([status, "private, no-cache"]);
  }
});

describe("_pretty", () => {
  it("indents, and keeps the digits of decimals", async () => {
    const { text, headers } = await server.send("GET", "/Observation/digits?_pretty=true");
    expect(text).toContain('\n  "valueQuantity": {\n    "value": 1.10\n  }\n}');
    expect(text).toContain('"text": "{\\"[,:"');
    expect(headers["content-length"]).toBe(String(Buffer.byteLength(text)));
  });

  it.each(["/Observation?_id=digits", "/metadata", "/Patient/none", "/Patient/long/_history", "/_search-is-no-type"])(
    "%s",
    async (path) => {
      const mark = path.includes("?") ? "&" : "?";
      const plain = await server.send("GET", path);
      const pretty = await server.send("GET", `${path}${mark}_pretty=true`);
      expect(pretty.status).toBe(plain.status);
      expect(pretty.text).toBe(JSON.stringify(pretty.body, undefined, 2).replace("1.1\n", "1.10\n"));
      expect(plain.text).not.toContain("\n");
    },
  );

  it("_pretty=false is as without", async () => {
    expect((await server.send("GET", "/Patient/long?_pretty=false")).text).not.toContain("\n");
  });
});

describe("_summary and _elements of a read", () => {
  it("shorten it, and say so", async () => {
    const { body } = await server.send("GET", "/Observation/digits?_elements=code");
    expect(Object.keys(body)).toEqual(["resourceType", "id", "meta", "status", "code"]);
    expect(body.meta.tag).toMatchObject([{ code: "SUBSETTED" }]);
    expect(
      (await server.send("GET", "/Observation/digits/_history/1?_summary=text")).body.valueQuantity,
    ).toBeUndefined();
    expect((await server.send("GET", "/Observation/digits?_summary=false")).body.valueQuantity).toBeDefined();
  });

  it.each(["_summary=count", "_summary=some", "_elements=nothing", "_elements=a.b", "_summary=true&_elements=code"])(
    "%s: 400",
    async (query) => {
      expect((await server.send("GET", `/Observation/digits?${query}`)).status).toBe(400);
    },
  );
});

describe("Accept-Encoding", () => {
  const inflate = { gzip: gunzipSync, br: brotliDecompressSync };
  it.each(["gzip", "br"] as const)("%s", async (encoding) => {
    const plain = await server.raw("GET", "/Patient/long");
    const packed = await server.raw("GET", "/Patient/long", { "accept-encoding": encoding });
    expect(packed.headers["content-encoding"]).toBe(encoding);
    expect(packed.headers["vary"]).toBe("accept-encoding");
    expect(packed.headers["etag"]).toBe(plain.headers["etag"]);
    expect(inflate[encoding](packed.rawPayload).equals(plain.rawPayload)).toBe(true);
    const again = { "accept-encoding": encoding, "if-none-match": String(plain.headers["etag"]) };
    expect((await server.raw("GET", "/Patient/long", again)).statusCode).toBe(304);
  });

  it("not for short answers", async () => {
    const { headers } = await server.raw("GET", "/Observation/digits", { "accept-encoding": "gzip" });
    expect(headers["content-encoding"]).toBeUndefined();
  });

  it.each(["/Patient/long", "/Patient", "/metadata", "/Observation/digits?_pretty=true"])(
    "HEAD %s has the headers of GET, and no body",
    async (path) => {
      for (const headers of [{}, { "accept-encoding": "gzip" }]) {
        const get = await server.raw("GET", path, headers);
        const head = await server.raw("HEAD", path, headers);
        expect([head.statusCode, head.rawPayload.length]).toEqual([200, 0]);
        for (const name of ["content-type", "etag", "last-modified", "content-encoding"]) {
          expect(head.headers[name], name).toBe(get.headers[name]);
        }
        if (head.headers["content-length"] !== undefined) {
          expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
        }
      }
    },
  );
});

describe("Content-Encoding", () => {
  const patient = JSON.stringify({ resourceType: "Patient", id: "packed", name: [{ family: "Gzip" }] });

  it.each([
    ["gzip", gzipSync(patient)],
    ["GZIP", gzipSync(patient)],
    ["deflate", deflateSync(patient)],
    ["identity", patient],
  ])("%s", async (encoding, body) => {
    const answer = await server.send("PUT", "/Patient/packed", body, { "content-encoding": encoding });
    expect([200, 201]).toContain(answer.status);
    expect(answer.body.name).toEqual([{ family: "Gzip" }]);
  });

  it("a body that inflates to more than the limit is a 413", async () => {
    const body = gzipSync(Buffer.alloc(64 * 1024 * 1024, " "));
    const answer = await server.send("PUT", "/Patient/bomb", body, { "content-encoding": "gzip" });
    expect([answer.status, answer.body.issue[0].code]).toEqual([413, "too-long"]);
  });

  it("what is not of the encoding is a 400, and an unknown one a 415", async () => {
    const wrong = await server.send("PUT", "/Patient/packed", patient, { "content-encoding": "gzip" });
    expect([wrong.status, wrong.body.issue[0].diagnostics]).toEqual([400, "The body is not valid gzip data."]);
    const unknown = await server.send("PUT", "/Patient/packed", patient, { "content-encoding": "compress" });
    expect(unknown.status).toBe(415);
  });
});

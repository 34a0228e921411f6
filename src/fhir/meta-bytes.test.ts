import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../base/json.ts";
import { contentHash, storedBody, withMeta } from "./meta-bytes.ts";
import { SOFT_DELETE_URL } from "./soft-delete.ts";

const MS = Date.UTC(2021, 4, 6, 7, 8, 9, 123);
const ISO = "2021-05-06T07:08:09.123Z";
const bytes = (text: string): Buffer => Buffer.from(text);
const hashOf = (text: string): bigint => contentHash(bytes(text), true);
const marker = `{"url":"${SOFT_DELETE_URL}","valueString":"soft-deleted"}`;

describe("withMeta", () => {
  it.each([
    [
      '{"resourceType":"Patient","id":"a","active":true}',
      `{"resourceType":"Patient","id":"a","meta":{"versionId":"3","lastUpdated":"${ISO}"},"active":true}`,
    ],
    [
      '{"id":"a","resourceType":"Patient"}',
      `{"id":"a","meta":{"versionId":"3","lastUpdated":"${ISO}"},"resourceType":"Patient"}`,
    ],
    ['{"resourceType":"X"}', `{"resourceType":"X","meta":{"versionId":"3","lastUpdated":"${ISO}"}}`],
    [" { } ", ` {"meta":{"versionId":"3","lastUpdated":"${ISO}"} } `],
    ['{"meta":{}}', `{"meta":{"versionId":"3","lastUpdated":"${ISO}"}}`],
    ['{"meta":null,"a":1.10}', `{"meta":{"versionId":"3","lastUpdated":"${ISO}"},"a":1.10}`],
    [
      '{"meta" : { "profile" : [ "x" ] , "versionId" : 4 } }',
      `{"meta" : { "lastUpdated":"${ISO}","profile" : [ "x" ] , "versionId" : "3" } }`,
    ],
    [
      '{"contained":[{"meta":{"versionId":"9"}}],"t":"}\\"{","m\\u0065ta":{"x":{"versionId":1}}}',
      `{"contained":[{"meta":{"versionId":"9"}}],"t":"}\\"{","m\\u0065ta":{"versionId":"3","lastUpdated":"${ISO}","x":{"versionId":1}}}`,
    ],
  ])("%s", (body, expected) => {
    expect(withMeta(bytes(body), 3, MS).toString()).toBe(expected);
  });

  it.each([
    ["2021-05-06T17:08:09.123+10:00", "2021-05-06T17:08:09.123+10:00"],
    ["2021-05-06T07:08:09.1239Z", "2021-05-06T07:08:09.123Z"],
    ["2021-05-06T17:08:09.12345678+10:00", "2021-05-06T17:08:09.123+10:00"],
  ])("%s is kept as %s (C-041, C-042)", (own, kept) => {
    const body = withMeta(bytes(`{"meta":{"lastUpdated":"${own}"}}`), 1, MS);
    expect(JSON.parse(body.toString())).toEqual({ meta: { versionId: "1", lastUpdated: kept } });
  });

  it("replaces a lastUpdated that means another instant", () => {
    const body = withMeta(bytes('{"meta":{"lastUpdated":"2020-01-01T00:00:00Z"}}'), -2, MS);
    expect(body.toString()).toBe(`{"meta":{"versionId":"-2","lastUpdated":"${ISO}"}}`);
  });

  it("changes nothing but meta, whatever the spacing and the content", () => {
    fc.assert(
      fc.property(resources, spacing, (resource, space) => {
        const parsed = JSON.parse(withMeta(bytes(printed(resource, space)), 7, MS).toString()) as JsonObject;
        const meta = isObject(resource["meta"]) ? resource["meta"] : {};
        expect(parsed).toEqual({ ...resource, meta: { ...meta, versionId: "7", lastUpdated: ISO } });
      }),
    );
  });
});

describe("storedBody", () => {
  it.each([
    [`{"id":"a","meta":{"extension":[${marker}]}}`, '{"id":"a"}'],
    [`{"id":"a","meta":{"extension":[${marker}]},"b":1.0}`, '{"id":"a","b":1.0}'],
    [`{"meta":{"extension":[${marker}]},"b":1.0}`, '{"b":1.0}'],
    [`{"meta":{"extension":[${marker}],"lastUpdated":"x"}}`, '{"meta":{"lastUpdated":"x"}}'],
    [`{"meta":{"lastUpdated":"x", "extension" : [${marker} , ${marker}] } }`, '{"meta":{"lastUpdated":"x" } }'],
    [`{"meta":{"extension":[${marker}, {"url":"u"}]}}`, '{"meta":{"extension":[{"url":"u"}]}}'],
    [`{"meta":{"extension":[{"url":"u"} , ${marker}]}}`, '{"meta":{"extension":[{"url":"u"}]}}'],
    [
      `{"meta":{"extension":[${marker},{"url":"u"},{"url":"${SOFT_DELETE_URL}"},{"url":"v"},${marker}]}}`,
      '{"meta":{"extension":[{"url":"u"},{"url":"v"}]}}',
    ],
    [`{"extension":[${marker}],"meta":{"tag":[]}}`, `{"extension":[${marker}],"meta":{"tag":[]}}`],
  ])("%s", (line, expected) => {
    expect(storedBody(bytes(line)).toString()).toBe(expected);
  });
});

describe("contentHash", () => {
  it("is a signed 64-bit number, the same with and without the scan", () => {
    const body = bytes('{"resourceType":"Patient","id":"a","meta":{"tag":[{"code":"x"}]}}');
    expect(contentHash(body, false)).toBe(BigInt.asIntN(64, contentHash(body, true)));
    expect(contentHash(body, false)).toBe(contentHash(body, true));
  });

  it.each([
    ['{"id":"a","meta":{"versionId":"1","lastUpdated":"x"},"b":1}', '{"id":"a","b":1}'],
    ['{"id":"a", "b":1, "meta":{"lastUpdated":"x"}}', '{"id":"a", "b":1}'],
    ['{"meta":{"versionId":7},"id":"a"}', '{"id":"a"}'],
    ['{"meta":{"versionId":7,"tag":[]},"id":"a"}', '{"meta":{"tag":[]},"id":"a"}'],
    ['{"meta":{"tag":[],"lastUpdated":"a,}"},"id":"a"}', '{"meta":{"tag":[]},"id":"a"}'],
    ['{"meta":{"lastUpdated":"x","tag":[],"versionId":"1"}}', '{"meta":{"versionId":"2","tag":[]}}'],
  ])("of %s is that of %s", (one, other) => {
    expect(hashOf(one)).toBe(hashOf(other));
    expect(hashOf(one)).toBe(contentHash(bytes(other), other.includes("versionId")));
  });

  it("ignores nothing else", () => {
    expect(hashOf('{"versionId":"1"}')).not.toBe(hashOf("{}"));
    expect(hashOf('{"contained":[{"meta":{"versionId":"1"}}]}')).not.toBe(hashOf('{"contained":[{}]}'));
    expect(hashOf('{"a":1.0}')).not.toBe(hashOf('{"a":1.00}'));
  });

  it("does not change with what withMeta writes", () => {
    fc.assert(
      fc.property(resources, spacing, (resource, space) => {
        const { meta, ...rest } = resource;
        const filled = isObject(meta) && Object.keys(meta).length > 0 ? resource : rest;
        const body = bytes(printed(filled, space));
        const hasMetaVersion = isObject(meta) && ("versionId" in meta || "lastUpdated" in meta);
        expect(contentHash(withMeta(body, 1, MS), true)).toBe(contentHash(body, hasMetaVersion));
      }),
    );
  });
});

const names = fc.oneof(
  fc.constantFrom("meta", "id", "resourceType", "versionId", "lastUpdated", "extension", 'q"{', "back\\slash", ""),
  fc.string({ maxLength: 6, unit: "binary" }).filter((name) => name !== "__proto__"),
);
const values: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string({ unit: "binary" }),
    fc.constantFrom('{"meta":{}}', '\\"', "]}", ISO),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(names, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;
const metas = fc.record(
  { versionId: values, lastUpdated: values, profile: values, "": values },
  { requiredKeys: [], noNullPrototype: true },
);
const resources: fc.Arbitrary<JsonObject> = fc
  .tuple(fc.dictionary(names, values, { maxKeys: 6, noNullPrototype: true }), fc.option(fc.oneof(metas, values)))
  .map(([resource, meta]) => {
    const { meta: _meta, ...rest } = resource;
    return meta === null ? rest : { ...rest, meta };
  });
const spacing = fc.constantFrom(0, 2, "\t");

function printed(resource: JsonObject, space: number | string): string {
  return JSON.stringify(resource, undefined, space).replace('"meta"', '"m\\u0065ta"');
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../base/json.ts";
import { BASE, openSearchServer, type SearchServer } from "../../testing/search-server.ts";

const S = "http://codes.example/animals";
const T = "http://codes.example/colours";
const VS = "http://codes.example/vs";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    observation("cat", [S, "cat"]),
    observation("tiger", [S, "tiger"]),
    observation("dog", [S, "dog"]),
    observation("oak", [S, "oak"]),
    observation("red", [T, "red"]),
    observation("both", [S, "dog"], [T, "blue"]),
    observation("bare", [undefined, "cat"]),
    { resourceType: "Observation", id: "none" },
    { resourceType: "Patient", id: "p", gender: "female" },
    {
      resourceType: "CodeSystem",
      id: "animals",
      url: S,
      content: "complete",
      property: [
        { code: "legs", type: "integer" },
        { code: "parent", type: "code" },
      ],
      concept: [
        {
          code: "animal",
          concept: [
            { code: "feline", concept: [{ code: "cat", property: [{ code: "legs", valueInteger: 4 }] }] },
            { code: "dog", property: [{ code: "legs", valueInteger: 4 }] },
            { code: "bird", property: [{ code: "legs", valueInteger: 2 }] },
          ],
        },
        { code: "tiger", property: [{ code: "parent", valueCode: "feline" }] },
        { code: "plant", concept: [{ code: "oak" }] },
      ],
    },
    { resourceType: "CodeSystem", id: "colours", url: T, content: "not-present" },
    {
      resourceType: "CodeSystem",
      id: "parts",
      url: "urn:parts",
      content: "complete",
      hierarchyMeaning: "part-of",
      concept: [{ code: "hand", concept: [{ code: "thumb" }] }],
    },
    { resourceType: "CodeSystem", id: "v1", url: "urn:twice", version: "1", content: "complete" },
    { resourceType: "CodeSystem", id: "v2", url: "urn:twice", version: "2", content: "complete" },
    ...valueSets(),
  );
});
afterAll(() => server.close());

function observation(id: string, ...codings: [system: string | undefined, code: string][]): JsonObject {
  const coding = codings.map(([system, code]) => (system === undefined ? { code } : { system, code }));
  return { resourceType: "Observation", id, code: { coding } };
}

function valueSets(): JsonObject[] {
  const composes: Record<string, JsonObject> = {
    listed: {
      include: [
        { system: S, concept: [{ code: "cat" }, { code: "dog" }] },
        { system: T, concept: [{ code: "red" }] },
      ],
    },
    whole: { include: [{ system: S }] },
    "all-but": { include: [{ system: S }], exclude: [{ system: S, concept: [{ code: "dog" }] }] },
    "no-dogs": { include: [{ system: S }, { system: T }], exclude: [{ system: S }] },
    colours: { include: [{ system: T }], exclude: [{ system: T, concept: [{ code: "red" }] }] },
    felines: { include: [{ system: S, filter: [{ property: "concept", op: "is-a", value: "feline" }] }] },
    "below-felines": {
      include: [{ system: S, filter: [{ property: "concept", op: "descendent-of", value: "feline" }] }],
    },
    "no-felines": { include: [{ system: S, filter: [{ property: "concept", op: "is-not-a", value: "feline" }] }] },
    "above-cat": { include: [{ system: S, filter: [{ property: "concept", op: "generalizes", value: "cat" }] }] },
    "four-legs": { include: [{ system: S, filter: [{ property: "legs", op: "=", value: "4" }] }] },
    "four-legged-felines": {
      include: [
        {
          system: S,
          filter: [
            { property: "legs", op: "exists", value: "true" },
            { property: "concept", op: "is-a", value: "feline" },
          ],
        },
      ],
    },
    "some-codes": { include: [{ system: S, filter: [{ property: "code", op: "in", value: "cat, oak" }] }] },
    "of-others": { include: [{ valueSet: [`${VS}/felines`] }, { valueSet: [`${VS}/some-codes`] }] },
    "in-common": { include: [{ valueSet: [`${VS}/felines`, `${VS}/some-codes`] }] },
    "system-and-set": { include: [{ system: S, valueSet: [`${VS}/listed`] }] },
    circle: { include: [{ valueSet: [`${VS}/circle-2`] }] },
    "circle-2": { include: [{ valueSet: [`${VS}/circle`] }] },
    missing: { include: [{ valueSet: [`${VS}/nowhere`] }] },
    regex: { include: [{ system: S, filter: [{ property: "code", op: "regex", value: "c.*" }] }] },
    "unknown-code": { include: [{ system: S, filter: [{ property: "concept", op: "is-a", value: "unicorn" }] }] },
    "unknown-system": { include: [{ system: "urn:none", filter: [{ property: "concept", op: "is-a", value: "x" }] }] },
    "part-of": { include: [{ system: "urn:parts", filter: [{ property: "concept", op: "is-a", value: "hand" }] }] },
    nothing: { include: [{}] },
    huge: { include: [{ system: S, concept: Array.from({ length: 10_001 }, (_, index) => ({ code: `c${index}` })) }] },
  };
  const expansion = { total: 2, contains: [{ system: S, code: "cat", contains: [{ system: S, code: "oak" }] }] };
  const named = (id: string, rest: JsonObject): JsonObject => ({
    resourceType: "ValueSet",
    id,
    url: `${VS}/${id}`,
    ...rest,
  });
  return [
    ...Object.entries(composes).map(([id, compose]) => named(id, { compose })),
    named("expanded", { expansion }),
    named("regex-expanded", { compose: composes["regex"] ?? {}, expansion }),
    named("a-page", { expansion: { ...expansion, total: 3 } }),
    named("filtered", { expansion: { ...expansion, parameter: [{ name: "filter", valueString: "a" }] } }),
    named("empty", {}),
    named("v1", {
      url: `${VS}/versions`,
      version: "1",
      compose: { include: [{ system: S, concept: [{ code: "cat" }] }] },
    }),
    named("v2", {
      url: `${VS}/versions`,
      version: "2",
      compose: { include: [{ system: S, concept: [{ code: "oak" }] }] },
    }),
  ];
}

const q = encodeURIComponent;

describe(":in and :not-in", () => {
  it.each([
    ["listed", "both cat dog red"],
    ["whole", "both cat dog oak tiger"],
    ["all-but", "cat oak tiger"],
    ["no-dogs", "both red"],
    ["felines", "cat tiger"],
    ["below-felines", "cat tiger"],
    ["no-felines", "both dog oak"],
    ["above-cat", "cat"],
    ["four-legs", "both cat dog"],
    ["four-legged-felines", "cat"],
    ["some-codes", "cat oak"],
    ["of-others", "cat oak tiger"],
    ["in-common", "cat"],
    ["system-and-set", "both cat dog"],
    ["expanded", "cat oak"],
    ["regex-expanded", "cat oak"],
    ["versions|1", "cat"],
    ["versions|2", "oak"],
  ])("of %s: %s", async (name, expected) => {
    expect((await server.ids(`/Observation?code:in=${q(`${VS}/${name}`)}`)).join(" ")).toBe(expected);
    const others = (await server.ids("/Observation")).filter((id) => !expected.split(" ").includes(id));
    expect(await server.ids(`/Observation?code:not-in=${q(`${VS}/${name}`)}`)).toEqual(others);
  });

  it("take ids, own URLs, and several value sets; and stand in chains", async () => {
    expect(await server.ids("/Observation?code:in=ValueSet/felines")).toEqual(["cat", "tiger"]);
    expect(await server.ids(`/Observation?code:in=${q(`${BASE}/ValueSet/felines`)}`)).toEqual(["cat", "tiger"]);
    expect(await server.ids(`/Observation?code:in=ValueSet/felines,${q(`${VS}/versions|2`)}`)).toEqual([
      "cat",
      "oak",
      "tiger",
    ]);
    await server.loadLive({ resourceType: "DiagnosticReport", id: "r", result: [{ reference: "Observation/tiger" }] });
    expect(await server.ids("/DiagnosticReport?result.code:in=ValueSet/felines")).toEqual(["r"]);
    expect(await server.ids("/Observation?_has:DiagnosticReport:result:_id=r&code:in=ValueSet/felines")).toEqual([
      "tiger",
    ]);
  });

  it.each([
    ["nowhere", "not-found"],
    ["missing", "not-found"],
    ["circle", "invalid"],
    ["versions", "multiple-matches"],
    ["regex", "not-supported"],
    ["unknown-code", "invalid"],
    ["unknown-system", "not-supported"],
    ["colours", "not-supported"],
    ["part-of", "not-supported"],
    ["nothing", "not-supported"],
    ["a-page", "not-supported"],
    ["filtered", "not-supported"],
    ["empty", "not-supported"],
    ["huge", "too-costly"],
  ])("refuse %s with a 400", async (name, code) => {
    const answer = await server.get(`/Observation?code:in=${q(`${VS}/${name}`)}`);
    expect([answer.status, (answer.body["issue"] as JsonObject[])[0]?.["code"]]).toEqual([400, code]);
    expect((answer.body["issue"] as JsonObject[])[0]?.["expression"]).toEqual(["code:in"]);
  });
});

function times(count: number, part: (index: number) => JsonObject): JsonObject[] {
  return Array.from({ length: count }, (_, index) => part(index));
}

function composed(include: JsonObject[], exclude: JsonObject[] = []): JsonObject {
  return { compose: { include, exclude } };
}

function code(text: string): JsonObject {
  return { code: text };
}

describe("a value set is expanded within limits", () => {
  const isA = { system: "urn:many", filter: [{ property: "concept", op: "is-not-a", value: "0" }] };

  beforeAll(async () => {
    const valueSets: [string, JsonObject][] = [
      ["parts", composed(times(20_000, () => ({ system: S, concept: [code("cat")] })))],
      [
        "excluded",
        composed(
          [{ system: S, concept: [code("cat")] }],
          times(20_000, (n) => ({ system: `urn:${n}` })),
        ),
      ],
      ["systems", composed(times(20_000, (n) => ({ system: `urn:${n}` })))],
      ["codes", composed(times(20_000, (n) => ({ system: S, concept: [code(`${n}`)] })))],
      ["filters", composed(times(20_000, () => isA))],
      ["one-filter", composed([{ ...isA, filter: times(20_000, () => isA.filter[0] ?? {}) }])],
      ["sets", composed(times(20_000, () => ({ valueSet: ["ValueSet/limit-below"] })))],
      ["below", composed([isA])],
      ["expansion", { expansion: { contains: times(20_000, (n) => ({ system: `urn:${n}`, code: "x" })) } }],
      ["nested", { expansion: { contains: [{ contains: times(200_000, () => ({ system: S, code: "cat" })) }] } }],
      ["too-many-concepts", composed([{ ...isA, system: "urn:too-many" }])],
    ];
    await server.loadLive(
      ...valueSets.map(([id, rest]) => ({ resourceType: "ValueSet", id: `limit-${id}`, ...rest })),
      {
        resourceType: "CodeSystem",
        id: "many",
        url: "urn:many",
        content: "complete",
        concept: times(1000, (n) => code(`${n}`)),
      },
      {
        resourceType: "CodeSystem",
        id: "too-many",
        url: "urn:too-many",
        content: "complete",
        concept: times(200_001, (n) => code(`${n}`)),
      },
    );
  });

  it.each(["parts", "excluded", "nested"])("%s finds what it means", async (name) => {
    expect(await server.ids(`/Observation?code:in=ValueSet/limit-${name}`)).toEqual(["cat"]);
  });

  it.each([
    ["systems", "has more than 10000 codes"],
    ["codes", "has more than 10000 codes"],
    ["expansion", "has more than 10000 codes"],
    ["filters", "more than 5000000 codes would have to be compared"],
    ["one-filter", "more than 5000000 codes would have to be compared"],
    ["sets", "more than 5000000 codes would have to be compared"],
    ["too-many-concepts", "CodeSystem 'urn:too-many' has more than 200000 concepts"],
  ])("%s is refused: %s", async (name, limit) => {
    const { status, text } = await server.get(`/Observation?code:in=ValueSet/limit-${name}`);
    expect([status, text]).toEqual([400, expect.stringContaining(limit)]);
  });
});

describe(":above and :below of tokens", () => {
  it.each([
    ["below", `${S}|animal`, "both cat dog tiger"],
    ["below", `${S}|feline`, "cat tiger"],
    ["below", `${S}|cat`, "cat"],
    ["below", `${S}|bird`, ""],
    ["below", `${S}|feline,${S}|plant`, "cat oak tiger"],
    ["above", `${S}|tiger`, "tiger"],
    ["above", `${S}|dog`, "both dog"],
    ["above", `${S}|animal`, ""],
  ])(":%s=%s finds %s", async (modifier, value, expected) => {
    expect((await server.ids(`/Observation?code:${modifier}=${q(value).replaceAll("%2C", ",")}`)).join(" ")).toBe(
      expected,
    );
  });

  it.each([
    ["code:below=cat", "invalid"],
    [`code:below=${q(`${S}|`)}`, "invalid"],
    [`code:below=${q(`${S}|unicorn`)}`, "invalid"],
    [`code:below=${q(`${T}|red`)}`, "not-supported"],
    [`code:above=${q("urn:none|x")}`, "not-supported"],
    [`code:below=${q("urn:parts|hand")}`, "not-supported"],
    [`code:below=${q("urn:twice|x")}`, "multiple-matches"],
    ["subject:below=Patient/1", "not-supported"],
    ["subject:above=Patient/1", "not-supported"],
    ["date:in=ValueSet/felines", "not-supported"],
    ["value-string:below=x", "not-supported"],
  ])("%s is refused", async (query, code) => {
    const answer = await server.get(`/Observation?${query}`);
    expect([answer.status, (answer.body["issue"] as JsonObject[])[0]?.["code"]]).toEqual([400, code]);
  });
});

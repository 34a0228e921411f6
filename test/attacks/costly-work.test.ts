import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { harmOf, openCappedServer, type CappedServer } from "../support/capped-server.ts";

/**
 * Attacks by a few bytes that ask for much work: expressions, searches, value sets, texts that regular expressions meet. Each must
 * be answered, or refused with its limit, while the server and its database keep within their memory and answer others.
 */

let server: CappedServer;
beforeAll(async () => {
  server = await openCappedServer();
  await send("POST", "", transaction(observations()));
});
afterAll(async () => {
  await server?.close();
});

type Json = Record<string, unknown>;
interface Answer {
  status: number;
  text: string;
}

/** Memory that one process of PostgreSQL may have for itself, in bytes. */
const MOST_DATABASE_MEMORY = 300 * 1024 * 1024;

async function send(
  method: string,
  path: string,
  body?: Json | readonly Json[] | string,
  type?: string,
): Promise<Answer> {
  const response = await fetch(`${server.base}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    headers: { "content-type": type ?? "application/fhir+json" },
  });
  return { status: response.status, text: await response.text() };
}

/** A search by POST: its parameters are longer than a URL may be. */
async function search(type: string, parameters: readonly (readonly [string, string])[]): Promise<Answer> {
  const form = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value])).toString();
  return send("POST", `/${type}/_search`, form, "application/x-www-form-urlencoded");
}

/** Carries the attack out, and expects that nobody was harmed. */
async function unharmed(attack: () => Promise<Answer>): Promise<Answer> {
  let answer: Answer = { status: 0, text: "" };
  const worst = await server.during(async () => {
    answer = await attack();
  });
  expect(harmOf(worst)).toEqual([]);
  expect(worst.databaseMemory).toBeLessThan(MOST_DATABASE_MEMORY);
  return answer;
}

function times<T>(count: number, of: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => of(index));
}

function list(count: number, of: (index: number) => string): string {
  return times(count, of).join(",");
}

function transaction(resources: readonly Json[]): Json {
  const entry = resources.map((resource) => ({
    resource,
    request: { method: "PUT", url: `${String(resource["resourceType"])}/${String(resource["id"])}` },
  }));
  return { resourceType: "Bundle", type: "transaction", entry };
}

function quantity(value: number): Json {
  return { value, unit: "mg", system: "http://unitsofmeasure.org", code: "mg" };
}

function observations(): Json[] {
  return [
    { resourceType: "Patient", id: "p", name: [{ family: "Smith" }], birthDate: "1970-01-01" },
    ...times(400, (index) => ({
      resourceType: "Observation",
      id: `o${index}`,
      status: "final",
      code: { coding: [{ system: "http://loinc.org", code: `c${index % 20}` }] },
      subject: { reference: "Patient/p" },
      effectiveDateTime: `20${String(10 + (index % 15))}-03-05`,
      valueQuantity: quantity(index),
      component: [{ code: { text: "x" }, valueQuantity: quantity(index) }],
    })),
  ];
}

function parameter(expression: string, more: Json = {}): Json {
  const base = ["Patient"];
  return {
    resourceType: "SearchParameter",
    url: "http://example.org/x",
    name: "x",
    status: "active",
    description: "x",
    code: "attack",
    type: "token",
    base,
    expression,
    ...more,
  };
}

const EXTENSIONS = times(170, (index) => `extension('${index}')`).join("|");
const COMPONENT = {
  definition: "http://hl7.org/fhir/SearchParameter/individual-gender",
  expression: "extension.value.extension.value",
};

describe("definitions of search parameters", () => {
  it.each<[string, Json, string]>([
    ["five levels of values of extensions", parameter(`Patient${".extension.value".repeat(5)}`), "50000 elements"],
    ["a hundred levels", parameter(`Patient${".extension.value".repeat(100)}`), "50000 elements"],
    [
      "many extensions of all types",
      parameter(`(${EXTENSIONS}).value`, { base: ["DomainResource"] }),
      "50000 elements",
    ],
    [
      "components that multiply",
      parameter("DomainResource", { base: ["DomainResource"], type: "composite", component: [COMPONENT, COMPONENT] }),
      "50000 elements",
    ],
    ["a path that nests deeply", parameter(`Patient${".extension".repeat(350)}.url`, { type: "uri" }), "50 elements"],
  ])("%s are refused with the limit", async (_what, resource, limit) => {
    const created = await unharmed(() => send("POST", "/SearchParameter", resource));
    expect([created.status, created.text]).toEqual([400, expect.stringContaining(limit)]);
    const validated = await unharmed(() => send("POST", "/SearchParameter/$validate", resource));
    expect([validated.status, validated.text]).toEqual([200, expect.stringContaining(limit)]);
  });

  it("are limited all together", async () => {
    const places = times(40, (index) => `/SearchParameter/all${index}`);
    const answers: Answer[] = [];
    await unharmed(async () => {
      for (const [index, place] of places.entries()) {
        const names = { id: `all${index}`, url: `http://example.org/${index}`, code: `attack${index}` };
        const resource = parameter(`DomainResource.extension('${index}').value`, {
          ...names,
          base: ["DomainResource"],
        });
        answers.push(await send("PUT", place, resource));
      }
      return send("PUT", "/Patient/p", { resourceType: "Patient", id: "p" });
    });
    expect(answers[0]?.status).toBe(201);
    const refused = expect.stringContaining("select more than 50000 elements");
    expect(answers.at(-1)).toEqual({ status: 400, text: refused });
    for (const place of places) await send("DELETE", place);
  });
});

const day = (index: number): string => `${String(1900 + (index % 120))}-01-0${String((index % 9) + 1)}`;

describe("searches", () => {
  it.each<[string, string, [string, string][]]>([
    ["100 dates", "Observation", times(100, (index) => ["date", `ge20${String(index % 30).padStart(2, "0")}`])],
    ["195 dates", "Observation", times(195, (index) => ["date", `ge${day(index)}`])],
    ["100 quantities", "Observation", times(100, (index) => ["value-quantity", `gt${index}`])],
    ["100 quantities of a code", "Observation", times(100, (index) => ["code-value-quantity", `c1$gt${index}`])],
    ["195 quantities that repeat", "Observation", times(195, (index) => ["component-value-quantity", `lt${index}`])],
    ["100 quantities in units", "Observation", times(100, (index) => ["value-quantity", `gt${index}||mg`])],
    ["100 names", "Patient", times(100, (index) => ["name", `a${index}`])],
    ["3,000 dates at once", "Observation", [["date", list(3000, (index) => `ge${day(index)}`)]]],
    [
      "1,000 quantities in a unit",
      "Observation",
      [["value-quantity", list(1000, (index) => `gt${index}|http://unitsofmeasure.org|mg`)]],
    ],
    ["5,000 tokens ten times", "Observation", times(10, () => ["code", list(5000, (index) => `c${index}`)])],
    [
      "50 chains",
      "Observation",
      times(50, (index) => ["subject:Patient.birthdate", `gt19${String(index).padStart(2, "0")}`]),
    ],
    [
      "100 _has",
      "Patient",
      times(100, (index) => ["_has:Observation:subject:date", `gt20${String(index % 24).padStart(2, "0")}`]),
    ],
    ["50 includes", "Observation", times(50, () => ["_include", "*"])],
  ])("%s are answered", async (_what, type, parameters) => {
    const { status, text } = await unharmed(() => search(type, parameters));
    expect([status, text]).toEqual([200, expect.stringContaining('"searchset"')]);
  });

  it.each<[string, string, [string, string][], string]>([
    ["3,001 dates", "Observation", [["date", list(3001, (index) => `ge${day(index)}`)]], "more than 3000 dates"],
    [
      "5,000 values of three kinds",
      "Observation",
      ["date", "value-quantity", "component-value-quantity"].map((name) => [
        name,
        list(5000, (index) => `${1000 + index}`),
      ]),
      "more than 3000 dates",
    ],
    [
      "dates of changes",
      "Observation",
      times(3, () => ["_lastUpdated", list(5000, (index) => day(index))]),
      "3000 dates",
    ],
    ["200 texts", "Observation", [["code:text", list(200, (index) => `t${index}`)]], "more than 3000 dates"],
    ["100,000 tokens", "Observation", times(20, () => ["code", list(5000, (index) => `c${index}`)]), "50000 values"],
    ["5,000 ids of any type", "Provenance", [["target", list(5000, (index) => `r${index}`)]], "50000 values"],
    ["200,000 ids", "Observation", times(40, () => ["_id", list(5000, (index) => `r${index}`)]), "50000 values"],
    [
      "a URL with a million beginnings",
      "ValueSet",
      [["url:above", `http://x/${"a".repeat(1_000_000)}`]],
      "1000 characters",
    ],
    [
      "many long URLs",
      "ValueSet",
      [["url:above", list(1500, (index) => `http://x/${index}${"a".repeat(900)}`)]],
      "50000 values",
    ],
    ["a value of 1.9 MB", "Patient", [["name", "a".repeat(1_900_000)]], "10000 characters"],
    [
      "200 words to look for",
      "Patient",
      times(100, (index) => ["_content", `a${index} or b${index}`]),
      "more than 3000 dates",
    ],
    ["201 parameters", "Observation", times(201, (index) => ["code", `c${index}`]), "at most 200 parameters"],
  ])("%s are refused with the limit", async (_what, type, parameters, limit) => {
    const { status, text } = await unharmed(() => search(type, parameters));
    expect([status, text]).toEqual([400, expect.stringContaining(limit)]);
  });
});

it("60 heavy searches at once leave /health/ready as it is", async () => {
  const heavy = times(100, (index): [string, string] => [
    "_has:Observation:subject:date",
    `gt20${String(index % 24).padStart(2, "0")}`,
  ]);
  const ready: number[] = [];
  const atWork = new Set(times(60, (index) => index));
  let whileAllWereAtWork = 0;
  await unharmed(async () => {
    const answers = [...atWork].map(async (index) => {
      const { status } = await search("Patient", heavy);
      atWork.delete(index);
      return status;
    });
    while (atWork.size > 0) {
      ready.push((await fetch(`${server.origin}/health/ready`)).status);
      if (atWork.size === 60) whileAllWereAtWork++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (const status of await Promise.all(answers)) expect([200, 503]).toContain(status);
    return { status: 200, text: "" };
  });
  expect(whileAllWereAtWork).toBeGreaterThan(0);
  expect(ready.filter((status) => status !== 200)).toEqual([]);
});

describe("value sets", () => {
  const S = "http://example.org/codes";
  it.each<[string, Json, string]>([
    ["20,000 whole systems", { compose: { include: times(20_000, (n) => ({ system: `urn:${n}` })) } }, "10000 codes"],
    [
      "20,000 codes apart",
      { compose: { include: times(20_000, (n) => ({ system: S, concept: [{ code: `${n}` }] })) } },
      "10000 codes",
    ],
    [
      "20,000 filters",
      {
        compose: {
          include: times(15_000, () => ({ system: S, filter: [{ property: "code", op: "is-not-a", value: "1" }] })),
        },
      },
      "5000000 codes",
    ],
    [
      "an expansion of 20,000 systems",
      { expansion: { timestamp: "2026-01-01", contains: times(20_000, (n) => ({ system: `urn:${n}`, code: "x" })) } },
      "10000 codes",
    ],
  ])("of %s are refused with the limit", async (_what, content, limit) => {
    const concept = times(1000, (n) => ({ code: `${n}` }));
    await send("PUT", "/CodeSystem/s", {
      resourceType: "CodeSystem",
      id: "s",
      url: S,
      status: "active",
      content: "complete",
      concept,
    });
    const valueSet = { resourceType: "ValueSet", id: "attack", url: `${S}/vs`, status: "active", ...content };
    const stored = await unharmed(() => send("PUT", "/ValueSet/attack", valueSet));
    expect(stored.status).toBeLessThan(300);
    const { status, text } = await unharmed(() => send("GET", "/Observation?code:in=ValueSet/attack"));
    expect([status, text]).toEqual([400, expect.stringContaining(limit)]);
  });
});

describe("texts that regular expressions meet", () => {
  it("a number of 60,000 zeros in a patch", async () => {
    const number = `1.${"0".repeat(60_000)}1`;
    const patch = `[{"op":"test","path":"/valueQuantity/value","value":${number}}]`;
    const { status } = await unharmed(() => send("PATCH", "/Observation/o1", patch, "application/json-patch+json"));
    expect(status).toBe(422);
  });

  it.each([
    ["a reference of 20,000 parts", { subject: { reference: `${"/_history/".repeat(20_000)}\n` } }, "8192 are allowed"],
    ["a code of 100,000 characters", { code: { coding: [{ code: `${"a ".repeat(50_000)}a` }] } }, "1000 are allowed"],
    ["a URL of 100,000 slashes", { implicitRules: `http://x${"/".repeat(100_000)}` }, "8192 are allowed"],
    [
      "a date of 100,000 digits",
      { effectiveDateTime: `2020-01-01T00:00:00.${"0".repeat(100_000)}Z` },
      "100 are allowed",
    ],
  ])("%s is refused with the limit", async (_what, content, limit) => {
    const type = { resourceType: "Observation", code: {} };
    const resource = { ...type, status: "final", subject: { reference: "Patient/p" }, ...content };
    const { status, text } = await unharmed(() => send("POST", `/${type.resourceType}`, resource));
    expect([status, text]).toEqual([400, expect.stringContaining(limit)]);
  });

  it("references with as many parts as are allowed, sorted by", async () => {
    const reference = `${"/_history/".repeat(800)}x`;
    const resources = times(50, (index) => ({
      resourceType: "Basic",
      id: `b${index}`,
      code: {},
      subject: { reference },
    }));
    expect((await unharmed(() => send("POST", "", transaction(resources)))).status).toBe(200);
    expect((await unharmed(() => send("GET", "/Basic?_sort=subject"))).status).toBe(200);
  });
});

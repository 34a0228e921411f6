import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkLine } from "../check/check-line.ts";
import { generateFiles, generatePopulation, type GenerateOptions } from "./generate.ts";
import { GENERATED_TYPES } from "./sink.ts";

interface Generated {
  resourceType: string;
  id: string;
  [element: string]: unknown;
}

/** Milliseconds of a date element. */
function time(value: unknown): number {
  return Date.parse(typeof value === "string" ? value : "");
}

async function generate(options: Partial<GenerateOptions>): Promise<Generated[]> {
  const resources: Generated[] = [];
  await generatePopulation(
    { patients: 30, seed: 1, conditionalReferences: false, ...options },
    (_type, resource) => resources.push(resource as unknown as Generated),
    () => undefined,
  );
  return resources;
}

function digest(resources: readonly Generated[]): string {
  return createHash("sha256").update(JSON.stringify(resources)).digest("hex");
}

/** All values of `reference` members. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === "reference" && typeof member === "string" ? [member] : references(member),
  );
}

describe("determinism", () => {
  test("the same seed gives the same bytes, another seed others", async () => {
    const first = digest(await generate({}));
    expect(digest(await generate({}))).toBe(first);
    expect(digest(await generate({ seed: 2 }))).not.toBe(first);
  });

  test("the output is the same on every machine", async () => {
    expect(digest(await generate({ patients: 5 }))).toMatchInlineSnapshot(
      `"4adb2f1f5cf2c75c378a4d6cb5a76f3658b3ad90178097f286087938fbd71f33"`,
    );
  });

  test("the time zone of the machine has no influence", async () => {
    const before = process.env["TZ"];
    try {
      process.env["TZ"] = "Asia/Tokyo";
      const tokyo = digest(await generate({ patients: 3 }));
      process.env["TZ"] = "America/New_York";
      expect(digest(await generate({ patients: 3 }))).toBe(tokyo);
    } finally {
      if (before === undefined) delete process.env["TZ"];
      else process.env["TZ"] = before;
    }
  });
});

describe("plausibility", () => {
  let resources: Generated[];
  let byReference: Map<string, Generated>;
  beforeAll(async () => {
    resources = await generate({ patients: 120 });
    byReference = new Map(resources.map((resource) => [`${resource.resourceType}/${resource.id}`, resource]));
  });

  function patientOf(resource: Generated): Generated | undefined {
    const link = (resource["subject"] ?? resource["patient"]) as { reference: string } | undefined;
    return link && byReference.get(link.reference);
  }

  test("every type is there, ids are unique and every reference finds its target", () => {
    expect(new Set(resources.map((resource) => resource.resourceType))).toEqual(new Set(GENERATED_TYPES));
    expect(byReference.size).toBe(resources.length);
    expect(resources.flatMap(references).filter((reference) => !byReference.has(reference))).toEqual([]);
  });

  test("every line passes the import's checker", () => {
    for (const mode of ["IncrementalLoad", "InitialLoad"] as const) {
      const rules = { mode, declaredType: undefined, now: Date.UTC(2026, 0, 1) };
      const problems = resources.map((resource) => checkLine(JSON.stringify(resource), rules));
      expect(problems.filter((problem) => problem.kind !== "resource")).toEqual([]);
    }
  });

  test("nothing is before birth or after death", () => {
    for (const resource of resources) {
      const patient = patientOf(resource);
      if (patient === undefined) continue;
      const birth = time(patient["birthDate"]);
      const end = time(patient["deceasedDateTime"] ?? "2026-01-02");
      const period = (resource["period"] ?? resource["performedPeriod"]) as { start: string; end: string } | undefined;
      for (const name of ["onsetDateTime", "recordedDate", "effectiveDateTime", "authoredOn", "occurrenceDateTime"]) {
        if (resource[name] === undefined) continue;
        expect(time(resource[name])).toBeGreaterThanOrEqual(birth);
        expect(time(resource[name])).toBeLessThanOrEqual(end);
      }
      if (period !== undefined) {
        expect(Date.parse(period.start)).toBeGreaterThanOrEqual(birth);
        expect(Date.parse(period.end)).toBeLessThanOrEqual(end);
      }
    }
  });

  test("an encounter contains what was done in it", () => {
    for (const resource of resources) {
      const link = resource["encounter"] as { reference: string } | undefined;
      if (link === undefined) continue;
      const period = byReference.get(link.reference)?.["period"] as { start: string; end: string };
      const performed = resource["performedPeriod"] as { end: string } | undefined;
      const times = ["recordedDate", "effectiveDateTime", "issued", "authoredOn", "occurrenceDateTime"].map(
        (name) => resource[name],
      );
      for (const moment of [...times, performed?.end]) {
        if (moment === undefined) continue;
        expect(time(moment)).toBeGreaterThanOrEqual(time(period.start));
        expect(time(moment)).toBeLessThanOrEqual(time(period.end));
      }
    }
  });

  test("blood pressure has two components in mm[Hg], the greater first", () => {
    const panels = resources.filter((resource) => JSON.stringify(resource["code"] ?? "").includes("85354-9"));
    expect(panels.length).toBeGreaterThan(100);
    for (const panel of panels) {
      const [systolic, diastolic] = panel["component"] as { valueQuantity: { value: number; code: string } }[];
      expect(systolic?.valueQuantity.code).toBe("mm[Hg]");
      expect(systolic?.valueQuantity.value).toBeGreaterThan(diastolic?.valueQuantity.value ?? Infinity);
    }
  });

  test("some names have accents", () => {
    const names = JSON.stringify(
      resources.filter((resource) => resource.resourceType === "Patient").map((p) => p["name"]),
    );
    expect(names).toMatch(/[é-žĐđ]/u);
  });

  test("national provider identifiers have a right check digit", () => {
    for (const resource of resources.filter(({ resourceType }) => resourceType === "Practitioner")) {
      const [{ value }] = resource["identifier"] as [{ value: string }];
      expect(value).toMatch(/^999\d{7}$/);
      const digits = `80840${value}`.split("").map(Number).toReversed();
      const sum = digits.reduce((total, digit, index) => {
        const weighted = index % 2 === 1 ? digit * 2 : digit;
        return total + (weighted > 9 ? weighted - 9 : weighted);
      }, 0);
      expect(sum % 10).toBe(0);
    }
  });
});

test("conditional references are written as Synthea writes them", async () => {
  const resources = await generate({ conditionalReferences: true, patients: 5 });
  const all = resources.flatMap(references);
  expect(all).toContainEqual(
    expect.stringMatching(/^Practitioner\?identifier=http:\/\/hl7\.org\/fhir\/sid\/us-npi\|999\d{7}$/),
  );
  expect(all.filter((reference) => /^(Practitioner|Organization|Location)\//.test(reference))).toEqual([]);
  expect(all).toContainEqual(expect.stringMatching(/^Patient\/[0-9a-f-]{36}$/));
});

describe("files", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "stoker-generate-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const options = { patients: 4, seed: 9, conditionalReferences: false };

  test("one file per type; counts and bytes are those of the files", async () => {
    const files = await generateFiles({ ...options, folder, overwrite: false });
    expect(files.map((file) => file.type)).toEqual(GENERATED_TYPES);
    for (const file of files) {
      const content = readFileSync(file.path);
      expect(content.length).toBe(file.bytes);
      expect(content.toString().split("\n").length - 1).toBe(file.resources);
    }
  });

  test("files that are there are kept, unless overwriting is allowed", async () => {
    await expect(generateFiles({ ...options, folder, overwrite: false })).rejects.toThrow(
      /exists already; use --force/,
    );
    expect(existsSync(join(folder, "Patient.ndjson"))).toBe(true);
    await expect(generateFiles({ ...options, folder, overwrite: true })).resolves.toHaveLength(GENERATED_TYPES.length);
  });

  test("a stopped run leaves no files", async () => {
    const other = join(folder, "stopped");
    const signal = AbortSignal.abort();
    await expect(
      generateFiles({ ...options, patients: 200, folder: other, overwrite: false, signal }),
    ).rejects.toThrow();
    expect(existsSync(join(other, "Patient.ndjson"))).toBe(false);
  });
});

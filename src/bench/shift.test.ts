import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shiftId, shiftLine } from "./shift.ts";
import { shiftFiles } from "./shift-files.ts";

const id = fc.stringMatching(/^[A-Za-z0-9\-.]{1,64}$/);

describe("shifting ids", () => {
  test("the resource's id and its relative references move, everything else stays", () => {
    const line = JSON.stringify({
      resourceType: "ExplanationOfBenefit",
      id: "a1",
      contained: [{ resourceType: "ServiceRequest", id: "referral", subject: { reference: "Patient/p1" } }],
      extension: [{ id: "element", url: "http://example.org", valueString: 'say "reference":"Patient/p1"' }],
      identifier: [{ system: "urn:claims", value: "a1" }],
      patient: { reference: "Patient/p1" },
      referral: { reference: "#referral" },
      provider: { reference: "Practitioner?identifier=x|1" },
      facility: { reference: "https://example.org/fhir/Location/l1" },
      claim: { reference: "Claim/c1/_history/2" },
      note: [{ text: "Größe" }],
    });
    const shifted = JSON.parse(shiftLine(line, "-7")) as Record<string, unknown>;
    expect(shifted).toEqual({
      ...(JSON.parse(line) as object),
      id: "a1-7",
      contained: [{ resourceType: "ServiceRequest", id: "referral", subject: { reference: "Patient/p1-7" } }],
      patient: { reference: "Patient/p1-7" },
      claim: { reference: "Claim/c1-7/_history/2" },
    });
  });

  test("an id that is not the second member is found by its depth", () => {
    const line =
      '{ "meta":{"id":"m"}, "contained":[{"id":"c"}], "text":"\\"id\\":\\"t\\" {", "resourceType":"Patient", "id" : "p" }';
    expect(shiftLine(line, "-1")).toBe(line.replace('"id" : "p"', '"id" : "p-1"'));
    expect(shiftLine('{"resourceType":"Patient"}', "-1")).toBe('{"resourceType":"Patient"}');
    expect(shiftLine("not JSON { [", "-1")).toBe("not JSON { [");
  });

  test("references stay consistent with ids, and ids stay valid and distinct", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(id, { minLength: 2, maxLength: 10 }),
        fc.integer({ min: 1, max: 9999 }),
        (ids, copy) => {
          const suffix = `-${String(copy)}`;
          const targets = ids.map((target) => {
            const resource = shiftLine(JSON.stringify({ resourceType: "Patient", id: target }), suffix);
            const reference = shiftLine(
              JSON.stringify({ resourceType: "Observation", id: "o", subject: { reference: `Patient/${target}` } }),
              suffix,
            );
            const shifted = (JSON.parse(resource) as { id: string }).id;
            expect(JSON.parse(reference)).toMatchObject({ subject: { reference: `Patient/${shifted}` } });
            expect(shifted).toMatch(/^[A-Za-z0-9\-.]{1,64}$/);
            expect(shifted).toBe(shiftId(target, suffix));
            return shifted;
          });
          expect(new Set(targets).size).toBe(ids.length);
        },
      ),
    );
  });
});

describe("shifting files", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stoker-shift-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("every line is shifted, across chunk borders, and bytes beyond ASCII stay", async () => {
    const lines = Array.from({ length: 5000 }, (_, index) =>
      JSON.stringify({
        resourceType: "Condition",
        id: `c${String(index)}`,
        note: [{ text: "é😀".repeat(index % 50) }],
        subject: { reference: `Patient/p${String(index)}` },
      }),
    );
    const path = join(folder, "Condition.ndjson");
    await writeFile(path, lines.join("\n")); // without a newline at the end
    const input = { folder, files: [{ type: "Condition", path, lines: 5000, bytes: 0 }], lines: 5000, bytes: 0 };
    const shifted = await shiftFiles(input, 3, join(folder, "copy"), new AbortController().signal);
    const text = await readFile(shifted.files[0]?.path ?? "", "utf8");
    const expected = lines.map((line) => JSON.parse(shiftLine(line, "-3")) as unknown);
    expect(
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(expected);
    expect(shifted).toMatchObject({ lines: 5000, bytes: Buffer.byteLength(text) });
  });
});

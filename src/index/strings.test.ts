import { describe, expect, it } from "vitest";
import { canonicalKeyOf, ownCanonicalConstantOf } from "../fhir/canonical-value.ts";
import { number, numbers, parameterId, record } from "./testing/recorder.ts";

describe("strings (contract 10.5)", () => {
  it("gives every part of a name and address, each once", () => {
    const { equality, rows } = record({
      resourceType: "Patient",
      name: [
        { family: "Noël", given: ["Ida", "Ida"], prefix: ["Dr"], text: "Dr Ida Noël" },
        { family: "Noël", given: [null, "Ada"] },
      ],
    });
    const name = parameterId("Patient.name");
    expect(rows.filter((row) => row.startsWith(`0 string ${name} `))).toEqual(
      ["Ada / ada", "Dr / dr", "Dr Ida Noël / dr ida noel", "Ida / ida", "Noël / noel"].map(
        (row) => `0 string ${name} ${row}`,
      ),
    );
    expect(rows.filter((row) => row.startsWith(`0 string ${parameterId("Patient.family")} `))).toHaveLength(1);
    expect(equality).toContain(number("Patient.name", "stringExact", "Noël"));
    expect(equality).toContain(number("Patient.family", "stringExact", "Noël"));
    expect(equality).not.toContain(number("Patient.name", "stringExact", "noel"));
  });

  it("gives further rows for the parts of a family name, and for words that are joined", () => {
    const { rows } = record({
      resourceType: "Patient",
      name: [{ text: "van den Berg" }, { family: "van den Berg", given: ["Mary-Ann"] }],
    });
    const [name, family, given] = ["name", "family", "given"].map((code) => parameterId(`Patient.${code}`));
    expect(rows).toEqual(
      [
        `0 string ${name} Mary-Ann / mary ann`,
        `0 string ${name} van den Berg / van den berg`,
        `0 string ${family} van den Berg / van den berg`,
        `0 string ${given} Mary-Ann / mary ann`,
        `1 string ${name} Mary-Ann / maryann`,
        `1 string ${name} van den Berg / berg`,
        `1 string ${name} van den Berg / den berg`,
        `1 string ${family} van den Berg / berg`,
        `1 string ${family} van den Berg / den berg`,
        `1 string ${given} Mary-Ann / maryann`,
      ].toSorted(),
    );
  });

  it("keeps a value of any length whole", () => {
    const city = `Heather${"x".repeat(1000)}quartz`;
    expect(record({ resourceType: "Location", address: { city } }).rows).toContain(
      `0 string ${parameterId("Location.address-city")} ${city} / ${city.toLowerCase()}`,
    );
  });

  it("drops what PostgreSQL's text does not hold", () => {
    const title = parameterId("ValueSet.title");
    expect(record({ resourceType: "ValueSet", title: "a\0b\ud800c😀" }).rows).toEqual([
      `0 string ${title} ab\uFFFDc😀 / ab\uFFFDc😀`,
    ]);
    expect(record({ resourceType: "ValueSet", title: "\0" }).rows).toEqual([]);
  });
});

describe("uris (contract 10.8)", () => {
  it("gives a uri as it is, and as a row for :above and :below", () => {
    const uri = "http://lab.EXAMPLE/t#77";
    expect(record({ resourceType: "ValueSet", url: uri })).toEqual({
      equality: numbers(
        number("ValueSet.url", "present"),
        number("ValueSet.url", "uri", uri),
        canonicalKeyOf(uri) ^ ownCanonicalConstantOf("url"),
      ),
      rows: [`0 string ${parameterId("ValueSet.url")} ${uri} / ${uri}`],
    });
  });

  it("gives a canonical with and without its version", () => {
    const { equality } = record({ resourceType: "Basic", meta: { profile: ["http://p.example/x|2"] } });
    expect(equality).toEqual(
      numbers(
        number("Basic._profile", "present"),
        number("Basic._profile", "uri", "http://p.example/x|2"),
        number("Basic._profile", "uri", "http://p.example/x"),
      ),
    );
  });
});

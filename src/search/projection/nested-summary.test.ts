import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withMeta } from "../../fhir/meta-bytes.ts";
import { readStructure } from "../../fhir/structure.ts";
import { summaryElementsOf } from "../../fhir/summary-elements.ts";
import { shaped } from "./shape.ts";

type Json = Record<string, unknown>;

function summaryText(text: string): string {
  const { resourceType } = JSON.parse(text) as { resourceType: string };
  return shaped(withMeta(Buffer.from(text), 1, 0), resourceType, "true").toString();
}

/** Without `meta`, whose tag says that something was left out. */
function summaryOf(resource: Json): Json {
  const { meta, ...rest } = JSON.parse(summaryText(JSON.stringify(resource))) as Json;
  const isWhole = JSON.stringify(rest) === JSON.stringify(resource);
  expect(JSON.stringify(meta).includes("SUBSETTED")).toBe(!isWhole);
  return rest;
}

function document(attachment: Json, context: Json): Json {
  const content = [{ attachment, format: { code: "f" } }];
  return { resourceType: "DocumentReference", id: "a", status: "current", content, context };
}

describe("_summary=true below the first level", () => {
  it("of a Patient: contacts are no part of it, links are", () => {
    const link = [{ other: { reference: "Patient/2" }, type: "seealso" }];
    const patient = { resourceType: "Patient", id: "a", contact: [{ name: { family: "B" } }], link };
    expect(summaryOf(patient)).toEqual({ resourceType: "Patient", id: "a", link });
  });

  it("of an Observation: components keep code and value, and lose the rest", () => {
    const kept = { code: { text: "systolic" }, valueQuantity: { value: 107, unit: "mmHg" } };
    const component = [{ ...kept, interpretation: [{ text: "high" }], referenceRange: [{ text: "90-120" }] }, kept];
    const observation = { resourceType: "Observation", id: "a", status: "final", code: { text: "BP" } };
    expect(summaryOf({ ...observation, component })).toEqual({ ...observation, component: [kept, kept] });
    expect(summaryOf({ ...observation, component: [kept] })).toEqual({ ...observation, component: [kept] });
  });

  it("of attachments and the like: all but their data, wherever they are", () => {
    const period = { start: "2020" };
    expect(
      summaryOf(document({ contentType: "text/plain", data: "QQ==" }, { period, event: [{ text: "e" }] })),
    ).toEqual(document({ contentType: "text/plain" }, { period }));
  });

  it("ids and extensions of elements go, those that change a meaning stay, with their values", () => {
    const extension = [{ url: "http://x", valueString: "v" }];
    const patient = { resourceType: "Patient", id: "a", name: [{ id: "n", extension, family: "A" }] };
    expect(summaryOf(patient)).toEqual({ resourceType: "Patient", id: "a", name: [{ family: "A" }] });
    const link = { other: { reference: "Patient/2", display: "B" }, type: "seealso", modifierExtension: extension };
    const linked = { resourceType: "Patient", id: "a", link: [{ extension, ...link }] };
    expect(summaryOf(linked)).toEqual({ resourceType: "Patient", id: "a", link: [link] });
  });

  it("what would be empty comes whole, and what belongs to a primitive with it", () => {
    const extension = [{ url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "masked" }];
    const patient = { resourceType: "Patient", id: "a", name: [{ extension }], _birthDate: { extension } };
    expect(summaryOf(patient)).toEqual(patient);
  });

  it("mandatory elements stay, shortened like others", () => {
    const participant = { actor: { reference: "Patient/1" }, status: "accepted" };
    const appointment = { resourceType: "Appointment", id: "a", status: "booked", participant: [participant] };
    expect(summaryOf({ ...appointment, participant: [{ ...participant, period: { start: "2020" } }] })).toEqual(
      appointment,
    );
  });

  it("resources in resources come whole", () => {
    const entry = [
      { fullUrl: "urn:x", resource: { resourceType: "Patient", contact: [{ id: "c", name: { text: "C" } }] } },
    ];
    const bundle = { resourceType: "Bundle", id: "a", type: "collection", entry };
    expect(summaryOf(bundle)).toEqual(bundle);
  });

  it("what stays keeps its bytes", () => {
    const text =
      '{"resourceType":"Observation","id":"a", "component" : [ {"referenceRange":[ { "low":{"value":1.0} } ] , "valueQuantity" : { "id" : "q", "value": 1.50 }, "interpretation":[{"text":"i"}]} ]}';
    expect(summaryText(text)).toContain(' "component" : [ {"valueQuantity" : { "value": 1.50 }} ]}');
  });

  it("of texts, data and elements the first level alone is asked", () => {
    const component = [{ code: { text: "c" }, interpretation: [{ text: "i" }] }];
    const text = JSON.stringify({ resourceType: "Observation", id: "a", status: "final", component, text: {} });
    for (const shape of ["data", ["component"]] as const) {
      const short = JSON.parse(shaped(withMeta(Buffer.from(text), 1, 0), "Observation", shape).toString()) as Json;
      expect(short["component"]).toEqual(component);
    }
  });

  it("is JSON with the kept members of every level, whatever the resource", () => {
    const structure = readStructure();
    const leaf = fc.constantFrom<unknown>("t", 1.5, true, null, { id: "i" }, [{ extension: [{ url: "u" }] }], []);
    const names = ["Observation", "DocumentReference", "Encounter", "AuditEvent"].flatMap((type) => [
      ...(structure.get(type)?.elements.keys() ?? []),
    ]);
    const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
      tree: fc.dictionary(
        fc.constantFrom(...names, "code", "data", "id", "extension", "attachment", "interpretation"),
        fc.oneof({ depthSize: "small" }, leaf, tie("tree"), fc.array(tie("tree"), { maxLength: 3 })),
        { maxKeys: 6 },
      ),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom("Observation", "DocumentReference", "AuditEvent"), (content, type) => {
        const { meta: _, ...rest } = content;
        const short = JSON.parse(
          summaryText(JSON.stringify({ ...rest, resourceType: type, id: "a" }, null, 1)),
        ) as Json;
        const { summary, mandatory } = summaryElementsOf(type);
        const expected = Object.keys(rest).filter((name) => summary.has(name) || mandatory.has(name));
        expect(Object.keys(short)).toEqual(expect.arrayContaining(expected));
      }),
    );
  });
});

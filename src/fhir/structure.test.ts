import { describe, expect, it } from "vitest";
import { RESOURCE_TYPES } from "./resource-types.ts";
import { readStructure } from "./structure.ts";

const structure = readStructure();
const element = (type: string, name: string) => structure.get(type)?.elements.get(name);

describe("readStructure", () => {
  it("has every resource type, with the elements of Resource", () => {
    for (const type of RESOURCE_TYPES) expect(element(type, "meta")?.type, type).toBe("Meta");
  });
  it("knows arrays and inner elements", () => {
    expect(element("Patient", "contact")).toMatchObject({ type: "Patient.contact", many: true, primitive: false });
    expect(element("Patient.contact", "modifierExtension")?.type).toBe("Extension");
  });
  it("expands choices", () => {
    expect(element("Observation", "valueQuantity")).toMatchObject({ type: "Quantity", choice: "value", many: false });
    expect(element("Observation", "valueDateTime")).toMatchObject({ type: "dateTime", primitive: true });
    expect(element("Observation", "value[x]")).toBeUndefined();
    expect(element("Observation", "valueAddress")).toBeUndefined();
  });
  it("follows content references", () => {
    expect(element("Questionnaire.item", "item")).toMatchObject({ type: "Questionnaire.item", many: true });
  });
  it("has the codes of required bindings, and only of those", () => {
    expect(element("Patient", "gender")?.codes).toEqual({
      name: "administrative-gender",
      codes: ["male", "female", "other", "unknown"],
    });
    expect(element("Patient", "language")?.codes).toBeUndefined();
    expect(element("Attachment", "contentType")?.codes).toBeUndefined();
  });
});

import { expect, it } from "vitest";
import { acceptsJson } from "./content-negotiation.ts";

it.each<[string | undefined, string | undefined, boolean]>([
  [undefined, undefined, true],
  ["", undefined, true],
  ["*/*", undefined, true],
  ["application/fhir+json; fhirVersion=4.0", undefined, true],
  ["text/html, application/xhtml+xml, */*;q=0.8", undefined, true],
  ["Application/JSON", undefined, true],
  ["application/fhir+xml", undefined, false],
  ["application/fhir+xml, application/fhir+json;q=0", undefined, false],
  ["application/fhir+xml, application/fhir+json;q=0.1", undefined, true],
  ["application/fhir+xml", "json", true],
  ["application/fhir+json", "xml", false],
  [undefined, "application/fhir json", true],
  [undefined, "", true],
])("Accept %j with _format %j: %s", (accept, format, accepted) => {
  expect(acceptsJson(accept, format)).toBe(accepted);
});

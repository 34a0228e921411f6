export * from "../fhir/extraction-tree.ts";

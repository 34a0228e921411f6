import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { Json, WriteServer } from "./write-server.ts";

/** A FHIRPath Patch; a part that is no text has its value in a member of its own. */
export function pathPatch(...operations: Record<string, unknown>[]): Json {
  return {
    resourceType: "Parameters",
    parameter: operations.map((operation) => ({
      name: "operation",
      part: Object.entries(operation).map(([name, value]) =>
        typeof value === "string" ? { name, valueString: value } : { name, ...(value as object) },
      ),
    })),
  };
}

/** Stores a patient as it is written, and returns its id. */
export async function storePatient(server: WriteServer, members = '"active":true'): Promise<string> {
  const id = randomUUID();
  const answer = await server.send("PUT", `/Patient/${id}`, `{"resourceType":"Patient","id":"${id}",${members}}`);
  expect(answer.status).toBe(201);
  return id;
}

/** The current version of a patient. */
export async function versionOf(server: WriteServer, id: string): Promise<string> {
  return (await server.send("GET", `/Patient/${id}`)).body.meta.versionId;
}

/** A resource as text, without its `meta`. */
export function withoutMeta(text: string): string {
  return text.replace(/,?"meta":\{[^}]*\}/, "");
}

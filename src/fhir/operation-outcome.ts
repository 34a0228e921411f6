import type { JsonObject } from "../base/json.ts";

/** One issue of an OperationOutcome. */
export interface Issue {
  readonly severity: "fatal" | "error" | "warning" | "information";
  /** FHIR issue type: `invalid`, `not-found`, `processing` ... */
  readonly code: string;
  readonly diagnostics?: string | undefined;
  /** `details.text`: for people. */
  readonly text?: string | undefined;
  /** FHIRPath of the elements it is about. */
  readonly expression?: readonly string[] | undefined;
}

/**
 * The OperationOutcome of an HTTP answer (contract 1.4): `id` is the correlation id, `lastUpdated` an instant.
 */
export function operationOutcome(id: string, issue: Issue, lastUpdated: Date = new Date()): JsonObject {
  return operationOutcomeOf(id, [issue], lastUpdated);
}

/** {@link operationOutcome} with several issues. */
export function operationOutcomeOf(id: string, issues: readonly Issue[], lastUpdated: Date = new Date()): JsonObject {
  return {
    resourceType: "OperationOutcome",
    id,
    meta: { lastUpdated: lastUpdated.toISOString().replace("Z", "+00:00") },
    issue: issues.map((issue) => ({
      severity: issue.severity,
      code: issue.code,
      ...(issue.text === undefined ? {} : { details: { text: issue.text } }),
      ...(issue.diagnostics === undefined ? {} : { diagnostics: issue.diagnostics }),
      ...(issue.expression === undefined ? {} : { expression: [...issue.expression] }),
    })),
  };
}

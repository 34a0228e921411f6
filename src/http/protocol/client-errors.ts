import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { operationOutcome } from "../../fhir/operation-outcome.ts";
import { FHIR_JSON } from "./content-negotiation.ts";
import { newRequestId } from "./request-id.ts";

/** Node's codes for bytes that are no request, with what they become; everything else is a 400. */
const ANSWERS: Readonly<Record<string, readonly [status: number, issue: string, text: string]>> = {
  HPE_HEADER_OVERFLOW: [
    431,
    "too-long",
    "URL and headers together are longer than 16 KB: send a long search as POST [type]/_search.",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "timeout", "The request was not received completely in time."],
};

/**
 * Answers bytes that Node's parser takes for no request, of which no route ever hears, with an OperationOutcome, too; then
 * the connection is over.
 */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  if (socket.writable) {
    const [status, code, diagnostics] = ANSWERS[error.code ?? ""] ?? [400, "structure", "This is not an HTTP request."];
    const body = JSON.stringify(operationOutcome(newRequestId(), { severity: "error", code, diagnostics }));
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nContent-Type: ${FHIR_JSON}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}

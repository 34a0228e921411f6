import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { answerClientError } from "./client-errors.ts";

/** A client of which nothing came, and which took nothing, for so many milliseconds while it was its turn is given up. */
export const STALL_MS = 30_000;

/** Closes the connection of a client that makes no progress: with a 408, where the answer has not begun. */
export function closeStalled(socket: Socket, response: ServerResponse | undefined): void {
  if (response === undefined || response.headersSent) {
    socket.destroy();
    return;
  }
  answerClientError(
    Object.assign(new Error("the client makes no progress"), { code: "ERR_HTTP_REQUEST_TIMEOUT" }),
    socket,
  );
}

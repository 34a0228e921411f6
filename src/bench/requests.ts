import { Agent, request } from "node:http";

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** From before the request was sent until the last byte was there. Milliseconds. */
  readonly time: number;
}

/** Sends requests over connections that are kept open. */
export interface Requests {
  /** `path` is below the FHIR base. */
  send(method: "GET" | "POST" | "PUT", path: string, body?: string): Promise<Answer>;
  close(): void;
}

/** Many clients may be in need of a connection at once. */
const MOST_CONNECTIONS = 64;

/** Opens connections to the server at `base` when they are first needed. */
export function openRequests(base: string, signal: AbortSignal): Requests {
  const agent = new Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS });
  return {
    send: (method, path, body) =>
      new Promise((resolve, reject) => {
        const headers = {
          accept: "application/fhir+json",
          ...(body === undefined
            ? {}
            : {
                "content-type": "application/fhir+json",
                "content-length": String(Buffer.byteLength(body)),
                prefer: "return=minimal",
              }),
        };
        const started = performance.now();
        const sent = request(path === "" ? base : `${base}/${path}`, { method, agent, headers, signal }, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const time = performance.now() - started;
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks), time });
          });
        });
        sent.on("error", reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/**
 * Runs `work` as so many clients, each of which begins the next turn when it is done with one, until there were `turns` of
 * them or `seconds` have passed. Returns the seconds it took.
 */
export async function asClients(
  clients: number,
  limit: { readonly turns: number; readonly seconds: number },
  work: (turn: number) => Promise<void>,
): Promise<number> {
  const started = performance.now();
  const end = started + limit.seconds * 1000;
  let turn = 0;
  const client = async (): Promise<void> => {
    while (turn < limit.turns && performance.now() < end) await work(turn++);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return (performance.now() - started) / 1000;
}

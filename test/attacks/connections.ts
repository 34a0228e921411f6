import { connect, type Socket } from "node:net";
import type { CappedServer } from "../support/capped-server.ts";

/** Raw connections to a server that is attacked; all are closed together. */
export interface Connections {
  /** Opens one that sends these bytes, and reads nothing unless told. */
  open(bytes: string | Buffer, options?: { reads?: boolean }): Attacker;
  /** Closes all, and waits until they are closed. */
  close(): Promise<void>;
}

/** One connection. */
export interface Attacker {
  readonly socket: Socket;
  /** What came so far. */
  got(): string;
  readonly closed: Promise<void>;
}

/** Connections to this server. */
export function openConnections({ port }: Pick<CappedServer, "port">): Connections {
  const all = new Set<Attacker>();
  return {
    open(bytes, { reads = false } = {}) {
      const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      let text = "";
      socket.on("error", () => undefined);
      if (reads) socket.on("data", (chunk) => (text += chunk.toString("latin1")));
      const attacker = { socket, got: () => text, closed };
      all.add(attacker);
      return attacker;
    },
    async close() {
      for (const { socket } of all) socket.destroy();
      await Promise.all([...all].map(({ closed }) => closed));
      all.clear();
    },
  };
}

/** A request as bytes; `length` is what its `Content-Length` says. */
export function requestOf(
  method: string,
  path: string,
  body: string | Buffer = "",
  headers: Readonly<Record<string, string>> = {},
  length: number = Buffer.byteLength(body),
): Buffer {
  const all: Record<string, string> = { host: "localhost" };
  if (method !== "GET")
    Object.assign(all, { "content-type": "application/fhir+json", "content-length": String(length) });
  const lines = Object.entries({ ...all, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), Buffer.from(body)]);
}

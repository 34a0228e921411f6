import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { MemoryBudget, Share } from "./memory-budget.ts";
import { waitsForRoom } from "./request-memory.ts";
import { closeStalled, STALL_MS } from "./stalled-clients.ts";

/** What a request that waits for those before it on its connection takes, with its headers. */
const WAITING_BYTES = 4096;
/** How long a connection may be idle between two requests, in milliseconds. */
const KEEP_ALIVE_MS = 72_000;
/** A connection costs some 20 KB, whatever it does: so many bytes of the budget stand for one. */
const BYTES_PER_CONNECTION = 16 * 1024;
const MIN_CONNECTIONS = 1000;

/**
 * The HTTP server of an application. Requests that a client sends on one connection without waiting for the answers are carried out one
 * after the other. A request may take as long as it needs as long as something moves; a client that does not is given up
 * ({@link STALL_MS}).
 */
export function createServerInTurns(
  handler: RequestListener,
  budget: MemoryBudget,
  stallMs: number = STALL_MS,
): Server {
  const lines = new WeakMap<Socket, Line>();
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const { socket } = request;
    let line = lines.get(socket);
    if (line === undefined) lines.set(socket, (line = new Line(handler, budget)));
    line.add({ request, response });
  });
  server.maxConnections = Math.max(MIN_CONNECTIONS, Math.floor(budget.limit / BYTES_PER_CONNECTION));
  server.setTimeout(stallMs, (socket) => {
    const current = lines.get(socket)?.current;
    // It is not the client that has to go on: the timer begins anew.
    if (current !== undefined && isServersTurn(current, socket)) socket.setTimeout(stallMs);
    else closeStalled(socket, current?.response);
  });
  return server;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

/** The requests of one connection. */
class Line {
  readonly #handler: RequestListener;
  readonly #budget: MemoryBudget;
  readonly #waiting: Exchange[] = [];
  #share: Share | undefined;
  current: Exchange | undefined;

  constructor(handler: RequestListener, budget: MemoryBudget) {
    this.#handler = handler;
    this.#budget = budget;
  }

  add(exchange: Exchange): void {
    if (this.current === undefined) {
      this.#begin(exchange);
      return;
    }
    const { socket } = exchange.request;
    this.#share ??= this.#budget.open();
    if (this.#waiting.length === 0) socket.once("close", () => this.#drop());
    if (!this.#budget.take(this.#share, WAITING_BYTES)) {
      socket.destroy();
      return;
    }
    this.#waiting.push(exchange);
    // Node.js hands out what has come already, and reads no more.
    socket.pause();
  }

  #begin(exchange: Exchange): void {
    this.current = exchange;
    exchange.response.once("close", () => this.#next(exchange.request.socket));
    this.#handler(exchange.request, exchange.response);
  }

  #next(socket: Socket): void {
    this.current = undefined;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    if (this.#share !== undefined) this.#budget.add(this.#share, -WAITING_BYTES);
    if (socket.destroyed) this.#drop();
    else this.#begin(next);
    if (this.#waiting.length === 0 && !socket.destroyed) socket.resume();
  }

  #drop(): void {
    this.#waiting.length = 0;
    if (this.#share !== undefined) this.#budget.close(this.#share);
  }
}

function isServersTurn({ request, response }: Exchange, socket: Socket): boolean {
  if (response.headersSent) return socket.writableLength === 0 && !response.writableFinished;
  return request.complete || waitsForRoom(request);
}

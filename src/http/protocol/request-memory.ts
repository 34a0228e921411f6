import type { IncomingMessage } from "node:http";
import { pipeline, Readable, Transform } from "node:stream";
import type { FastifyInstance, FastifyRequest, RequestPayload } from "fastify";
import { StokerError } from "../../base/errors.ts";
import type { MemoryBudget, Share, Stage } from "./memory-budget.ts";
import { closeStalled } from "./stalled-clients.ts";

/**
 * The memory of requests in progress, counted against one budget: bodies while they come, what is made of them, what is read for
 * an answer, and answers until they are sent. Where there is no room, nothing is read from the socket for a while, and then
 * the answer is 503.
 */

/** Bytes of memory for one byte of a body: while it comes, in pieces and then as a whole; and when it has been parsed. */
const RECEIVED = 2;
const PARSED = 8;
/** Bodies whose `Content-Length` is at most this are counted when they are there. */
const SMALL_BYTES = 8 * 1024;
/** Longer answers are sent in pieces of this size, so that progress is seen. */
const PIECE_BYTES = 128 * 1024;
/** One request may need so many times the budget, when it is alone. */
const MOST = 1.5;
/** While others wait for room, a client that receives or sends less than so many bytes in {@link RequestPatience.slow} is given up. */
const SLOW_BYTES = 64 * 1024;

/** How long is waited, in milliseconds. */
export interface RequestPatience {
  /** By a request for room, all its waits together: those that hold a part of it each would otherwise wait for each other in turn. */
  readonly room: number;
  /** For {@link SLOW_BYTES} of a client, while others wait for room. */
  readonly slow: number;
}

const PATIENCE: RequestPatience = { room: 10_000, slow: 5000 };

/** What a request holds. */
export interface RequestMemory {
  /** Takes so many bytes more, as soon as there is room. Rejects with `busy`, also when
   * the client has gone, and with `too-costly` when there never will be. */
  take(bytes: number): Promise<void>;
  /** Gives bytes back. */
  give(bytes: number): void;
}

const memories = new WeakMap<IncomingMessage, Memory>();

/** The memory of a request. */
export function memoryOf(request: FastifyRequest): RequestMemory {
  const memory = memories.get(request.raw);
  if (memory === undefined) throw new Error("countMemory was not called");
  return memory;
}

/** Takes room for what is needed before a body can be read, such as the state of a decoder. Rejects like {@link RequestMemory.take}. */
export async function takeBeforeBody(request: FastifyRequest, bytes: number): Promise<void> {
  await memories.get(request.raw)?.take(bytes);
}

/** Whether a request waits for room: its client is not to blame that nothing moves. */
export function waitsForRoom(request: IncomingMessage): boolean {
  return memories.get(request)?.isWaiting === true;
}

/** To be called before any route is there, and after all that changes bodies and answers. */
export function countMemory(app: FastifyInstance, budget: MemoryBudget, patience: RequestPatience = PATIENCE): void {
  const open = new Set<Memory>();
  // Clients that are too slow while others wait: looked for only then.
  const watch = setInterval(() => {
    const now = performance.now();
    for (const memory of open) memory.look(now, budget.isShort);
  }, patience.slow / 5).unref();
  app.addHook("onClose", async () => clearInterval(watch));
  app.addHook("onRequest", (request, reply, done) => {
    const memory = new Memory(budget, patience, () => closeStalled(request.raw.socket, reply.raw));
    memories.set(request.raw, memory);
    open.add(memory);
    reply.raw.once("close", () => {
      open.delete(memory);
      memory.close();
    });
    done();
  });
  app.addHook("preParsing", (request, reply, payload, done) => {
    const memory = memories.get(request.raw);
    const isEncoded = payload !== request.raw;
    const length = Number(request.headers["content-length"] ?? Number.NaN);
    if (length * PARSED > budget.limit * MOST) {
      // The framework does so for bodies that are too long: the client may send more.
      reply.header("connection", "close");
      done(tooLarge(length * PARSED));
      return;
    }
    if (memory === undefined || (!isEncoded && length <= SMALL_BYTES)) done(null, payload);
    else done(null, metered(payload, memory));
  });
  app.addHook("preValidation", async (request) => {
    const { body } = request;
    const memory = memories.get(request.raw);
    memory?.works();
    if (typeof body !== "string" && !Buffer.isBuffer(body)) return;
    const more = body.length * PARSED - (memory?.held ?? 0);
    if (more > 0) await memory?.take(more);
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    const memory = memories.get(request.raw);
    if (typeof payload !== "string" && !Buffer.isBuffer(payload)) {
      memory?.sends(0);
      done(null, payload);
      return;
    }
    const length = Buffer.byteLength(payload);
    memory?.sends(length);
    if (memory === undefined || length <= PIECE_BYTES * 2 || request.method === "HEAD") done(null, payload);
    else {
      reply.header("content-length", String(length));
      done(null, inPieces(Buffer.isBuffer(payload) ? payload : Buffer.from(payload), memory));
    }
  });
}

class Memory implements RequestMemory {
  readonly #budget: MemoryBudget;
  readonly #share: Share;
  readonly #patience: RequestPatience;
  readonly #giveUp: () => void;
  /** Whether it is the client that something waits for. */
  #isClientsTurn = true;
  #isClosed = false;
  #waiting = 0;
  /** Milliseconds that were waited for room so far. */
  #waited = 0;
  #moved = 0;
  #since: number = performance.now();

  constructor(budget: MemoryBudget, patience: RequestPatience, giveUp: () => void) {
    this.#budget = budget;
    this.#patience = patience;
    this.#share = budget.open();
    this.#giveUp = giveUp;
  }

  get held(): number {
    return this.#share.held;
  }

  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  async take(bytes: number, stage: Stage = "working"): Promise<void> {
    // Its work ends: nothing counts it any more.
    if (this.#isClosed) throw new StokerError("busy", GONE);
    if (this.held + bytes > this.#budget.limit * MOST) throw tooLarge(this.held + bytes);
    if (this.#budget.take(this.#share, bytes, stage)) return;
    await this.#wait(bytes, stage);
  }

  give(bytes: number): void {
    this.#budget.add(this.#share, -bytes);
  }

  /** Gives everything back. */
  close(): void {
    this.#isClosed = true;
    this.#budget.close(this.#share);
  }

  /** So many bytes came from the client, or went to it. */
  moved(bytes: number): void {
    this.#moved += bytes;
  }

  /** The body is there. */
  works(): void {
    this.#isClientsTurn = false;
  }

  /** Only the answer is left, of so many bytes. */
  sends(bytes: number): void {
    this.#isClientsTurn = true;
    this.#moved = 0;
    this.#since = performance.now();
    if (!this.#isClosed) this.#budget.add(this.#share, bytes - this.#share.held);
  }

  /** Gives the client up when it is too slow while others wait. */
  look(now: number, isShort: boolean): void {
    if (!isShort || !this.#isClientsTurn || this.isWaiting || this.#moved >= SLOW_BYTES) {
      this.#moved = 0;
      this.#since = now;
    } else if (now - this.#since >= this.#patience.slow && this.held > SLOW_BYTES) {
      this.#giveUp();
    }
  }

  async #wait(bytes: number, stage: Stage): Promise<void> {
    this.#waiting++;
    const begun = performance.now();
    try {
      await new Promise<void>((resolve, reject) => {
        const leave = this.#budget.wait(this.#share, bytes, stage, () => {
          clearTimeout(timer);
          resolve();
        });
        const timer = setTimeout(() => {
          leave();
          reject(new StokerError("busy", NO_ROOM));
        }, this.#patience.room - this.#waited);
      });
      if (this.#isClosed) {
        this.#budget.close(this.#share);
        throw new StokerError("busy", GONE);
      }
    } finally {
      this.#waiting--;
      this.#waited += performance.now() - begun;
      this.#since = performance.now();
    }
  }
}

const GONE = "The client has gone before its request was carried out.";
const NO_ROOM = "Other requests use all the memory that the server has for them; try again in a moment.";

function tooLarge(bytes: number): StokerError {
  const text = `This request needs about ${Math.ceil(bytes / 1048576)} MB of memory, more than the server has: send less at once, or give its process a larger heap (NODE_OPTIONS=--max-old-space-size=…).`;
  return new StokerError("too-costly", text, { status: 413 });
}

/** The body, counted as it comes; nothing more comes while there is no room. */
function metered(payload: RequestPayload, memory: Memory): Transform {
  let length = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      memory.moved(chunk.length);
      length += chunk.length;
      memory.take(chunk.length * RECEIVED, "receiving").then(() => done(null, chunk), fail);
      function fail(error: Error): void {
        // What has come is thrown away.
        memory.give(memory.held);
        done(error);
      }
    },
    flush(done) {
      memory.take(length * (PARSED - RECEIVED)).then(
        () => done(),
        (error: Error) => {
          memory.give(memory.held);
          done(error);
        },
      );
    },
  });
  pipeline(payload, meter, () => undefined);
  // The framework compares it with Content-Length.
  Object.defineProperty(meter, "receivedEncodedLength", {
    get: () => (payload as { receivedEncodedLength?: number }).receivedEncodedLength ?? length,
  });
  return meter;
}

/** An answer in pieces, each handed over when the client has taken those before. */
function inPieces(bytes: Buffer, memory: Memory): Readable {
  let at = 0;
  return new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      if (at >= bytes.length) {
        this.push(null);
        return;
      }
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      at += piece.length;
      memory.moved(piece.length);
      this.push(piece);
    },
  });
}

import { pipeline, type Readable } from "node:stream";
import { promisify } from "node:util";
import {
  brotliCompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createGzip,
  createInflate,
  deflate,
  gzip,
  type InputType,
} from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { takeBeforeBody } from "./request-memory.ts";

/** Shorter answers are not worth it. */
const THRESHOLD_BYTES = 1024;

/**
 * `Accept-Encoding` for JSON answers, and `Content-Encoding` for bodies, whose limits then count the inflated bytes. Not for
 * NDJSON, which is streamed; see {@link gzippedStream}. To be called before any route is there, and after all that
 * changes answers: it comes before a HEAD loses its body, so that it has the headers of the GET.
 */
export function takeAndGiveCompressed(app: FastifyInstance): void {
  app.addHook("onSend", async (request, reply, payload) => {
    // What the 200 would say (RFC 9110, 15.4.5).
    if (reply.statusCode === 304) reply.header("vary", varyOf(reply));
    const type = reply.getHeader("content-type");
    const isJson = typeof type === "string" && /^application\/(?:fhir\+)?json(?:;|$)/.test(type);
    if (!isJson || (typeof payload !== "string" && !Buffer.isBuffer(payload))) return payload;
    reply.header("vary", varyOf(reply));
    if (Buffer.byteLength(payload) < THRESHOLD_BYTES) return payload;
    const encoding = acceptedEncoding(request.headers["accept-encoding"]);
    if (encoding === undefined) return payload;
    reply.header("content-encoding", encoding).removeHeader("content-length");
    return await COMPRESS[encoding](payload);
  });
  app.addHook("preParsing", async (request, reply, payload) => {
    const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "";
    if (encoding === "identity" || encoding === "") return payload;
    const decoder = DECODERS.get(encoding);
    if (decoder === undefined) {
      const text = "Content-Encoding must be gzip, deflate or br.";
      throw new StokerError("not-supported", text, { status: 415 });
    }
    await takeBeforeBody(request, decoder.bytes);
    const inflated = inflating(encoding, decoder.open(), payload);
    // What is left of a body that was refused is not inflated.
    reply.raw.once("close", () => inflated.destroy());
    return inflated;
  });
}

/**
 * A stream of so many bytes, gzipped when the client takes that, with the headers that say so or give the length. It ends with
 * the answer.
 */
export function gzippedStream(
  request: FastifyRequest,
  reply: FastifyReply,
  { stream, bytes }: { stream: Readable; bytes: number },
): Readable {
  reply.header("vary", varyOf(reply));
  const isZipped = bytes >= THRESHOLD_BYTES && acceptedEncoding(request.headers["accept-encoding"]) === "gzip";
  if (!isZipped || request.method === "HEAD") {
    reply.header("content-length", String(bytes));
    return stream;
  }
  reply.header("content-encoding", "gzip");
  // Either one's end is the other's; the error is the answer's.
  return pipeline(stream, createGzip({ level: 1 }), () => undefined);
}

function varyOf(reply: FastifyReply): string {
  const other = reply.getHeader("vary");
  return other === undefined ? "accept-encoding" : `${String(other)}, accept-encoding`;
}

type Encoding = "gzip" | "br" | "deflate";

/** The encoding that an `Accept-Encoding` likes best; of several, the one that is quickest to make. */
export function acceptedEncoding(header: string | undefined): Encoding | undefined {
  const weights = new Map<string, number>();
  for (const part of (header ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim());
    const weight = parameters.find((text) => text.startsWith("q="))?.slice(2);
    weights.set(name === "x-gzip" ? "gzip" : name, weight === undefined ? 1 : Number(weight) || 0);
  }
  let best: Encoding | undefined;
  let bestWeight = 0;
  for (const encoding of ["gzip", "br", "deflate"] as const) {
    const weight = weights.get(encoding) ?? weights.get("*") ?? 0;
    if (weight <= bestWeight) continue;
    best = encoding;
    bestWeight = weight;
  }
  return best;
}

const gzipped = promisify<InputType, { level: number }, Buffer>(gzip);
const deflated = promisify<InputType, { level: number }, Buffer>(deflate);
const brotlied = promisify<InputType, { params: Record<number, number> }, Buffer>(brotliCompress);

/** Quick rather than small: FHIR's JSON shrinks to a tenth at the lowest levels, too. */
const COMPRESS: Readonly<Record<Encoding, (payload: string | Buffer) => Promise<Buffer>>> = {
  gzip: (payload) => gzipped(payload, { level: 1 }),
  br: (payload) => brotlied(payload, { params: { [constants.BROTLI_PARAM_QUALITY]: 2 } }),
  deflate: (payload) => deflated(payload, { level: 1 }),
};

function inflating(encoding: string, inflater: Inflater, payload: RequestPayload): RequestPayload & Readable {
  let received = 0;
  payload.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  inflater.on("error", (error) => {
    Object.assign(error, { statusCode: 400, message: `The body is not valid ${encoding} data.` });
  });
  pipeline(payload, inflater, () => undefined);
  // The framework compares this with Content-Length, and the inflated bytes with the limit.
  Object.defineProperty(inflater, "receivedEncodedLength", { get: () => received });
  return inflater;
}

type Inflater = ReturnType<typeof createGunzip> | ReturnType<typeof createBrotliDecompress>;

/** What a decoder keeps of what it has decoded: up to 32 KB (RFC 1951, 2), and up to 16 MB (RFC 7932, 9.1), with its tables. */
const DEFLATE_BYTES = 64 * 1024;
const BROTLI_BYTES = 17 * 1024 * 1024;

const DECODERS: ReadonlyMap<string, { bytes: number; open: () => Inflater }> = new Map([
  ["gzip", { bytes: DEFLATE_BYTES, open: createGunzip }],
  ["x-gzip", { bytes: DEFLATE_BYTES, open: createGunzip }],
  ["deflate", { bytes: DEFLATE_BYTES, open: createInflate }],
  ["br", { bytes: BROTLI_BYTES, open: createBrotliDecompress }],
]);

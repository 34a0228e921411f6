import type { FastifyInstance, FastifyRequest } from "fastify";
import { StokerError } from "../../base/errors.ts";
import { ownTurnFor, Pace } from "../../base/own-turn.ts";
import { release } from "../../store/resources/body.ts";
import type { ResourceWriter } from "../../write/single/resource-writer.ts";
import { readOneVersion } from "../../search/read.ts";
import { readingOf } from "../routes/resource-routes.ts";
import { giveCopies } from "../../search/context/context.ts";
import { readForEntry } from "./bundle-reads.ts";
import { readBundle, readEntry, type BundleRequest, type EntryRequest, type RawEntry } from "./bundle-request.ts";
import {
  addIssues,
  failedEntry,
  readEntryResponse,
  responseBundle,
  writtenEntry,
  type ResponseEntry,
} from "./bundle-response.ts";
import { atEntry, interactionOf, writeTransaction } from "./bundle-writes.ts";
import { EntryOrder } from "./entry-order.ts";
import { unnamedWarnings } from "./unnamed-entries.ts";
import { FHIR_JSON } from "../protocol/content-negotiation.ts";
import { takeEmptyBodies } from "../protocol/empty-bodies.ts";
import { originOf } from "../protocol/origin.ts";
import type { Interaction, WriteContext } from "../../write/interactions/interactions.ts";
import { errorOutcome } from "../protocol/operation-outcome.ts";
import { isStrict, returnPreference } from "../protocol/preferences.ts";
import type { Metadata } from "../metadata/metadata.ts";
import {
  bodyOf,
  successOutcome,
  takeJson,
  together,
  type WriteRoutesOptions,
  type Written,
} from "../routes/write-routes.ts";

/** What the routes are registered with. */
export interface BundleRoutesOptions extends WriteRoutesOptions {
  metadata: () => Promise<Metadata>;
}

/** Greatest batch or transaction. */
const BUNDLE_BYTES = 64 * 1024 * 1024;

/** Bytes that the entries of one Bundle may read: its answer is made in memory. */
const READ_BYTES = 64 * 1024 * 1024;

/** `batch` and `transaction` (http://hl7.org/fhir/R4/http.html#transaction), for a prefix `/fhir`. */
export async function bundleRoutes(
  app: FastifyInstance,
  { reading, writer, metadata }: BundleRoutesOptions,
): Promise<void> {
  app.removeAllContentTypeParsers();
  takeJson(app, BUNDLE_BYTES);
  takeEmptyBodies(app);
  app.post("/", async (request, reply) => {
    const bundle = await readBundle(bodyOf(request));
    const carryOut = bundle.type === "batch" ? carryOutBatch : carryOutTransaction;
    const until = performance.now() + READ_MS;
    const asked = readingOf(reading, request);
    const entries = await carryOut({ request, reading: asked, writer, metadata, left: READ_BYTES, until }, bundle);
    await ownTurnFor(entries.reduce((sum, { resource }) => sum + (resource?.length ?? 0), 0));
    const answer = responseBundle(bundle.type, entries);
    // They are in the answer now, and V8 would collect them much later than the next answer is made.
    for (const { resource } of entries) if (resource !== undefined) release(resource);
    return reply.type(FHIR_JSON).send(answer);
  });
}

/** Milliseconds after which no other entry of a Bundle is read. */
const READ_MS = 60_000;

interface Context {
  request: FastifyRequest;
  reading: WriteContext;
  writer: ResourceWriter;
  metadata: () => Promise<Metadata>;
  /** Bytes that may still be read. */
  left: number;
  /** When reading ends: milliseconds of `performance.now()`. */
  until: number;
}

/** All entries that write, or none; then those that read. A reading that fails says so in its own entry. */
async function carryOutTransaction(context: Context, bundle: BundleRequest): Promise<ResponseEntry[]> {
  const { reading, writer } = context;
  const entries: EntryRequest[] = [];
  const pace = new Pace();
  for (const [place, raw] of bundle.entries.entries()) {
    if (pace.isDue) await pace.rest();
    entries.push(atPlace(place, () => readEntry(raw, reading.baseUrl)));
  }
  const writes = new Map<number, { entry: EntryRequest; interaction: Interaction }>();
  for (const [place, entry] of entries.entries()) {
    if (pace.isDue) await pace.rest();
    const interaction = atPlace(place, () => {
      if (entry.method === "POST" && entry.target.operation !== undefined) throw notInTransaction();
      return interactionOf(reading, entry);
    });
    if (interaction !== undefined) writes.set(place, { entry, interaction });
  }
  const written = await writeTransaction(writer, reading, writes, originOf(context.request));
  const answers: ResponseEntry[] = [];
  for (const [place, entry] of entries.entries()) {
    if (pace.isDue) await pace.rest();
    const result = written.get(place);
    answers.push(
      result === undefined ? await answered(context, () => readFor(context, entry)) : await writtenOf(context, result),
    );
  }
  const warnings = unnamedWarnings(entries, (place) => {
    const result = written.get(place);
    return result === undefined ? undefined : `${result.type}/${result.id}`;
  });
  for (const [place, issues] of warnings) addIssues(answers[place], context.request.id, issues);
  return answers;
}

function notInTransaction(): StokerError {
  const text =
    "request.url: operations by POST are for batches only, because a transaction writes all of its entries or none.";
  return new StokerError("not-supported", text, { expression: "request.url" });
}

/**
 * Each entry by itself: first all that write, at once but those that may be about the same resource, then those that read. What
 * an entry waits for is known before anything is written, because entries are read in their order.
 */
async function carryOutBatch(context: Context, bundle: BundleRequest): Promise<ResponseEntry[]> {
  const { reading, writer } = context;
  const readings: { place: number; entry: EntryRequest }[] = [];
  const order = new EntryOrder();
  const origin = originOf(context.request);
  const carriedOut = async (raw: RawEntry, place: number): Promise<ResponseEntry> => {
    const entry = readEntry(raw, reading.baseUrl);
    const interaction = interactionOf(reading, entry);
    if (interaction === undefined) {
      readings.push({ place, entry });
      return { response: {} };
    }
    const written = await order.run(entry, interaction, () => writer.write(interaction, origin));
    return await writtenOf(context, together(written));
  };
  const begun: Promise<ResponseEntry>[] = [];
  const pace = new Pace();
  for (const [place, raw] of bundle.entries.entries()) {
    // Others must not wait until all entries have been looked at.
    if (pace.isDue) await pace.rest();
    if (origin.signal.aborted) break;
    begun.push(answered(context, () => carriedOut(raw, place)));
  }
  const answers = await Promise.all(begun);
  for (const { place, entry } of readings) answers[place] = await answered(context, () => readFor(context, entry));
  return answers;
}

async function readFor(context: Context, entry: EntryRequest): Promise<ResponseEntry> {
  const { request, reading, metadata } = context;
  // A client that has gone waits for no answer.
  if (request.socket.destroyed) context.left = 0;
  const timeout = Math.min(reading.timeout, context.until - performance.now());
  if (timeout <= 0)
    throw new StokerError("too-costly", "The preceding entries have used up the time allowed for one Bundle.");
  if (context.left > 0) {
    const sources = { reading: { ...reading, timeout }, metadata };
    const found = await readForEntry(sources, entry, isStrict(request.headers["prefer"]));
    const length = found.resource?.length ?? 0;
    giveCopies(reading, length);
    context.left -= length;
    if (context.left > 0) {
      const { resource, ...facts } = found;
      return readEntryResponse(entry.method === "HEAD" || resource === undefined ? facts : { ...facts, resource });
    }
  }
  throw new StokerError("too-costly", "With this entry, the Bundle's answer would be too large.", {
    status: 413,
  });
}

async function writtenOf({ request, reading }: Context, written: Written): Promise<ResponseEntry> {
  const preferred = returnPreference(request.headers["prefer"]);
  const { outcome, type, id, version } = written;
  const isKept = outcome === "kept" && version !== undefined;
  if (isKept && preferred === "representation") {
    const kept = await readOneVersion(reading, type, id, String(version.versionId));
    const entry = writtenEntry(reading.baseUrl, written, preferred, () => ({}));
    return kept.body === undefined ? entry : { ...entry, resource: kept.body };
  }
  return writtenEntry(reading.baseUrl, written, preferred, () => successOutcome(request.id, written));
}

/** The entry, or the one that says why it failed. */
async function answered({ request }: Context, work: () => Promise<ResponseEntry>): Promise<ResponseEntry> {
  try {
    return await work();
  } catch (error) {
    // Nobody is told.
    if (originOf(request).signal.aborted) return { response: {} };
    return failedEntry(errorOutcome(error, request));
  }
}

function atPlace<Result>(place: number, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof StokerError ? atEntry(place, error) : error;
  }
}

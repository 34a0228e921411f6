import type { BlobClient, BlobDownloadOptions } from "@azure/storage-blob";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { mayHelpToAskAgain } from "./blob-errors.ts";
import { openPatience } from "./patience.ts";
import { normaliseEtag, sourceChanged, type ByteRange } from "./source.ts";

/** Failures in a row without a byte between them, over some 35 s where connections are refused; then the unit fails. */
const MAX_FAILURES = 7;
const RETRY_DELAY_MS = 1_000;
/** A service that gives no answer, or no further byte, for so long is not there. */
const IDLE_MS = 60_000;
/** So much is read to its end when the caller has enough, because a connection that is used again is worth more. */
const DRAIN_BYTES = 256 * 1024;
const DRAIN_MS = 5_000;

/**
 * The bytes of a blob's range. Conditional on the etag, so all bytes are of one content even where a transfer broke off
 * and went on at the byte where it stopped. Throws what the storage client throws, or the signal's reason.
 */
export async function* readBlob(
  blob: BlobClient,
  url: string,
  range: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  let { start: position, end, etag } = range;
  let failures = 0;
  while (end === undefined || position < end) {
    const patience = openPatience(signal, IDLE_MS);
    try {
      const transfer = await openTransfer(blob, position, end, etag, patience.signal);
      patience.answered();
      // without a planned etag, the first answer's is the one that the others must have
      etag ??= transfer.etag;
      end ??= position + transfer.length;
      if (transfer.length !== end - position) {
        transfer.body.destroy();
        throw sourceChanged(url);
      }
      for await (const chunk of chunksOf(transfer.body, transfer.length)) {
        position += chunk.length;
        failures = 0;
        yield chunk;
      }
      if (position < end) throw new Error(`the transfer ended at byte ${position} of ${end}`);
    } catch (error) {
      signal?.throwIfAborted();
      failures++;
      if (failures >= MAX_FAILURES || !mayHelpToAskAgain(error)) throw error;
      await sleep(RETRY_DELAY_MS * failures, undefined, { signal });
    } finally {
      patience.close();
    }
  }
}

async function openTransfer(
  blob: BlobClient,
  position: number,
  end: number | undefined,
  etag: string | undefined,
  abortSignal: AbortSignal,
): Promise<{ body: Readable; length: number; etag: string | undefined }> {
  const options: BlobDownloadOptions = {
    abortSignal,
    // going on is done here: the library gives up on a connection that is reset
    maxRetryRequests: 0,
    ...(etag === undefined ? {} : { conditions: { ifMatch: `"${etag}"` } }),
  };
  const answer = await blob.download(position, end === undefined ? undefined : end - position, options);
  if (answer.readableStreamBody === undefined) throw new Error("the storage account sent no body");
  return {
    body: answer.readableStreamBody as Readable,
    length: answer.contentLength ?? 0,
    etag: answer.etag === undefined ? undefined : normaliseEtag(answer.etag),
  };
}

/** The chunks of a transfer of `length` bytes. Ends it when it stands still, or when the caller leaves. */
async function* chunksOf(body: Readable, length: number): AsyncGenerator<Buffer, void, undefined> {
  // only waiting for the service counts: the caller may take its time
  let waiting = true;
  const idle = setTimeout(() => {
    if (waiting) body.destroy(new Error("the transfer stalled"));
  }, IDLE_MS);
  let left = length;
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      left -= chunk.length;
      waiting = false;
      yield chunk;
      waiting = true;
      idle.refresh();
    }
  } finally {
    clearTimeout(idle);
    if (!body.readableEnded) leave(body, left);
  }
}

/** Ends a transfer of which `left` bytes are of no interest any more. */
function leave(body: Readable, left: number): void {
  body.on("error", () => undefined);
  if (left > DRAIN_BYTES) {
    body.destroy();
    return;
  }
  const hammer = setTimeout(() => body.destroy(), DRAIN_MS).unref();
  body.once("close", () => clearTimeout(hammer));
  body.resume();
}

import type { BlobClient, BlobServiceClient } from "@azure/storage-blob";
import { blobInAccount, blobUrl, type AzureAccount } from "./azure-account.ts";
import { openAzureClient } from "./azure-client.ts";
import { blobReadError, blobStartError, blobWriteError } from "./blob-errors.ts";
import { readBlob } from "./blob-reader.ts";
import { makeContainer, writeErrorLogBlob } from "./error-log-blob.ts";
import { openPatience } from "./patience.ts";
import { normaliseEtag, type ByteRange, type Source } from "./source.ts";

/** A HEAD request that takes longer than this is not going to be answered. */
const STAT_MS = 60_000;

/** The blobs of one account. Connects with the first call. */
export function createBlobSource(account: AzureAccount): Source {
  let client: Promise<BlobServiceClient> | undefined;

  function connect(): Promise<BlobServiceClient> {
    client ??= openAzureClient(account);
    return client;
  }

  async function open(url: string): Promise<BlobClient> {
    const blob = blobInAccount(account, new URL(url));
    if (blob === undefined) throw new Error("the URL is not in this account");
    return (await connect()).getContainerClient(blob.container).getBlobClient(blob.name);
  }

  return {
    async stat(url, signal) {
      const blob = await open(url);
      const patience = openPatience(signal, STAT_MS);
      try {
        const properties = await blob.getProperties({ abortSignal: patience.signal });
        return { length: properties.contentLength ?? 0, etag: normaliseEtag(properties.etag ?? "") };
      } catch (error) {
        signal?.throwIfAborted();
        throw blobStartError(url, error);
      } finally {
        patience.close();
      }
    },
    async *read(url: string, range: ByteRange, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
      const blob = await open(url);
      try {
        yield* readBlob(blob, url, range, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw blobReadError(url, error);
      }
    },
    async makeErrorContainer(container) {
      try {
        await makeContainer(await connect(), container);
      } catch (error) {
        throw blobWriteError(blobUrl(account, { container, name: "" }), error);
      }
    },
    async writeErrorLog(container, name, chunks) {
      const url = blobUrl(account, { container, name });
      let failure: { error: unknown } | undefined;
      // what goes wrong where the log comes from is not the storage's failure
      const watched = watch(chunks, (error) => (failure = { error }));
      try {
        await writeErrorLogBlob(await connect(), container, name, watched);
      } catch (error) {
        throw failure === undefined ? blobWriteError(url, error) : failure.error;
      }
      return url;
    },
  };
}

async function* watch(
  chunks: AsyncIterable<Buffer>,
  onError: (error: unknown) => void,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    onError(error);
    throw error;
  }
}

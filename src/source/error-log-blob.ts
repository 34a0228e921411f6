import type { BlobServiceClient, BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { createHash, randomBytes } from "node:crypto";
import { StokerError } from "../base/errors.ts";
import { checkContainerName } from "./container-name.ts";

/** Bytes of a block; all that is held in memory. A blob has at most 50,000 of them. */
const BLOCK_BYTES = 4 * 1024 * 1024;
const MAX_BLOCKS = 50_000;
/** What an error log's name is made of (contract 6.1): type, ids, `.ndjson`. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/;

/**
 * Writes a log as a block blob that does not exist yet (D-22), one block at a time. A blob that exists already is
 * accepted if it was written by this function with the same bytes: then an earlier try got through, but its answer did
 * not. Throws StokerError `bad-request` for a container name against contract 7.2, `source-failed` for a foreign blob of
 * that name; otherwise what the storage client throws.
 */
export async function writeErrorLogBlob(
  client: BlobServiceClient,
  container: string,
  name: string,
  chunks: AsyncIterable<Buffer>,
): Promise<void> {
  if (!NAME.test(name)) throw new StokerError("internal", `not a valid name of an error log: ${name}`);

  const blob = (await makeContainer(client, container)).getBlockBlobClient(name);
  const digest = createHash("sha256");
  const blocks: string[] = [];
  // block ids are shared by all who write to the name: the random part keeps two writers' blocks apart
  const writer = randomBytes(8).toString("hex");
  for await (const block of inBlocks(chunks)) {
    if (blocks.length === MAX_BLOCKS) throw new StokerError("source-failed", "The error log is too long for a blob.");
    const id = Buffer.from(`${writer}${String(blocks.length).padStart(6, "0")}`).toString("base64");
    await blob.stageBlock(id, block, block.length);
    digest.update(block);
    blocks.push(id);
  }
  await commit(blob, blocks, digest.digest("hex"));
}

/**
 * The container for error logs, made when it is missing. Throws StokerError `bad-request` for a name against contract 7.2;
 * otherwise what the storage client throws.
 */
export async function makeContainer(client: BlobServiceClient, container: string): Promise<ContainerClient> {
  const problem = checkContainerName(container);
  if (problem !== undefined) throw new StokerError("bad-request", problem, { expression: "errorContainerName" });
  const containerClient = client.getContainerClient(container);
  await containerClient.createIfNotExists().catch((error: unknown) => {
    // whoever may not make containers may still be allowed to write into one
    if ((error as { statusCode?: number }).statusCode !== 403) throw error;
  });
  return containerClient;
}

async function commit(blob: BlockBlobClient, blocks: string[], sha256: string): Promise<void> {
  try {
    await blob.commitBlockList(blocks, {
      conditions: { ifNoneMatch: "*" },
      metadata: { sha256 },
      blobHTTPHeaders: { blobContentType: "application/fhir+ndjson" },
    });
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    // 409 BlobAlreadyExists; 412 from services that answer the condition; 400 where the other writer's commit has
    // thrown our blocks away
    if (statusCode !== 409 && statusCode !== 412 && statusCode !== 400) throw error;
    const there = await blob.getProperties().catch(() => undefined);
    if (there === undefined) throw error;
    if (there.metadata?.["sha256"] === sha256) return;
    throw new StokerError("source-failed", `An error log of this name exists already: ${blob.name}`, { cause: error });
  }
}

/** Chunks of any size as blocks of {@link BLOCK_BYTES}, the last one shorter. */
async function* inBlocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let block = Buffer.allocUnsafe(BLOCK_BYTES);
  let length = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const copied = chunk.copy(block, length, at);
      at += copied;
      length += copied;
      if (length === BLOCK_BYTES) {
        yield block;
        block = Buffer.allocUnsafe(BLOCK_BYTES);
        length = 0;
      }
    }
  }
  if (length > 0) yield block.subarray(0, length);
}

import type { BlobServiceClient } from "@azure/storage-blob";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { blobUrl } from "../source/azure-account.ts";
import { openAzureClient } from "../source/azure-client.ts";
import type { Destination } from "./destination.ts";

/** A file being written, from its beginning to its end. */
export interface OutputFile {
  /** The bytes are no longer needed when this resolves. */
  write(bytes: Buffer): Promise<void>;
  /** Makes the file complete and safe from a power cut; gives its URL in the storage account. */
  finish(): Promise<string | null>;
  /** Lets go of the file as it is; its folder will be removed. */
  abandon(): Promise<void>;
}

/** The folder of one attempt at an export. */
export interface OutputFolder {
  /** Makes it; again does no harm. */
  make(): Promise<void>;
  create(name: string): Promise<OutputFile>;
  /** Removes it with all its files; one that is not there is removed. */
  remove(): Promise<void>;
}

/** Opens a folder of the destination. `container` is that of a storage account. */
export async function openFolder(destination: Destination, container: string, name: string): Promise<OutputFolder> {
  if (destination.kind === "folder") return localFolder(join(destination.path, name));
  const client = await openAzureClient(destination.account);
  return accountFolder(client, container, name, (blob) => blobUrl(destination.account, { container, name: blob }));
}

function localFolder(path: string): OutputFolder {
  return {
    async make() {
      await mkdir(path, { recursive: true, mode: 0o700 });
    },
    async create(name) {
      const file = await open(join(path, name), "wx", 0o600);
      return {
        async write(bytes) {
          for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
        },
        async finish() {
          await file.datasync();
          await file.close();
          return null;
        },
        abandon: () => file.close(),
      };
    },
    async remove() {
      await rm(path, { recursive: true, force: true });
    },
  };
}

function accountFolder(
  client: BlobServiceClient,
  containerName: string,
  folder: string,
  urlOf: (blob: string) => string,
): OutputFolder {
  const container = client.getContainerClient(containerName);
  return {
    async make() {
      await container.createIfNotExists().catch((error: unknown) => {
        // Whoever may not make containers may still be allowed to write into one.
        if ((error as { statusCode?: number }).statusCode !== 403) throw error;
      });
    },
    async create(name) {
      const path = `${folder}/${name}`;
      const blob = container.getBlockBlobClient(path);
      const blocks: string[] = [];
      return {
        async write(bytes) {
          const id = Buffer.from(String(blocks.length).padStart(8, "0")).toString("base64");
          await blob.stageBlock(id, bytes, bytes.length);
          blocks.push(id);
        },
        async finish() {
          await blob.commitBlockList(blocks, { blobHTTPHeaders: { blobContentType: "application/fhir+ndjson" } });
          return urlOf(path);
        },
        async abandon() {
          // Blocks without a list are thrown away by the storage account.
        },
      };
    },
    async remove() {
      for await (const blob of container.listBlobsFlat({ prefix: `${folder}/` })) {
        await container.deleteBlob(blob.name).catch((error: unknown) => {
          if ((error as { statusCode?: number }).statusCode !== 404) throw error;
        });
      }
    },
  };
}

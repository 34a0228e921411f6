import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BlobServiceClient } from "@azure/storage-blob";

/** A real Azurite blob service in a process of its own, on a free port. */
export interface Azurite {
  port: number;
  /** `http://127.0.0.1:PORT/devstoreaccount1`, without a slash at the end. */
  blobEndpoint: string;
  /** With an explicit `BlobEndpoint`, as `STOKER_AZURE_STORAGE_CONNECTION_STRING` takes it. */
  connectionString: string;
  client: BlobServiceClient;
  /** Writes (or overwrites) a blob; the container is created when missing. `etag` is as the service reports it. */
  upload(container: string, name: string, content: string | Uint8Array): Promise<{ url: string; etag: string }>;
  download(container: string, name: string): Promise<Buffer>;
  /** Names of the container's blobs; undefined when there is no such container. */
  list(container: string): Promise<string[] | undefined>;
  /** Ends the process; what is on disk stays. Azurite writes its list of blobs only now and then, and at SIGTERM. */
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts it again on the same port and folder, and waits until it answers. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Azurite's published account and key. */
export const AZURITE_ACCOUNT = "devstoreaccount1";
/** The key of {@link AZURITE_ACCOUNT}: public, the same in every Azurite. */
export const AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/** Starts Azurite and waits until it answers; in memory, or in a temporary folder when `onDisk` (large blobs). */
export async function openAzurite(options: { onDisk?: boolean } = {}): Promise<Azurite> {
  const folder = options.onDisk === true ? await mkdtemp(join(tmpdir(), "stoker-azurite-")) : undefined;
  const port = await freePort();
  const main = createRequire(import.meta.url).resolve("azurite/dist/src/blob/main.js");
  const place = folder === undefined ? ["--inMemoryPersistence"] : ["--location", folder];
  const flags = ["--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1", "--silent"];
  let child: ChildProcess;
  const killWithParent = (): void => void child.kill("SIGKILL");
  const start = async (): Promise<void> => {
    child = spawn(process.execPath, [main, ...place, ...flags, "--blobPort", String(port)], { stdio: "ignore" });
    try {
      await waitUntilItAnswers(child, port);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  };
  await start();
  process.once("exit", killWithParent);

  const blobEndpoint = `http://127.0.0.1:${port}/${AZURITE_ACCOUNT}`;
  const connectionString =
    `DefaultEndpointsProtocol=http;AccountName=${AZURITE_ACCOUNT};AccountKey=${AZURITE_KEY};` +
    `BlobEndpoint=${blobEndpoint};`;
  const { BlobServiceClient } = await import("@azure/storage-blob");
  const client = BlobServiceClient.fromConnectionString(connectionString);

  return {
    port,
    blobEndpoint,
    connectionString,
    client,
    async upload(container, name, content) {
      const containerClient = client.getContainerClient(container);
      await containerClient.createIfNotExists();
      const blob = containerClient.getBlockBlobClient(name);
      const answer = await blob.uploadData(Buffer.from(content));
      return { url: `${blobEndpoint}/${container}/${name}`, etag: answer.etag ?? "" };
    },
    async download(container, name) {
      return await client.getContainerClient(container).getBlobClient(name).downloadToBuffer();
    },
    async list(container) {
      const containerClient = client.getContainerClient(container);
      if (!(await containerClient.exists())) return undefined;
      const names: string[] = [];
      for await (const blob of containerClient.listBlobsFlat()) names.push(blob.name);
      return names;
    },
    stop: (signal) => stop(child, signal),
    start,
    async close() {
      process.removeListener("exit", killWithParent);
      await stop(child, "SIGTERM");
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port of 127.0.0.1 on which nothing listens at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function waitUntilItAnswers(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(`Azurite ended with code ${child.exitCode}`);
    if (await answers(port)) return;
    await sleep(50);
  }
  throw new Error("Azurite did not answer within 30 s");
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function stop(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const hammer = setTimeout(() => child.kill("SIGKILL"), 3_000);
  await ended;
  clearTimeout(hammer);
}

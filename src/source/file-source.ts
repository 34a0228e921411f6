import { constants, type BigIntStats } from "node:fs";
import { open, readlink, realpath, type FileHandle } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { StokerError } from "../base/errors.ts";
import { isBelow } from "./file-path.ts";
import { sourceChanged, sourceUnauthorized, sourceVanished, type ByteRange, type Source } from "./source.ts";

/** Bytes per read: at 512 KB the cost per read is below 1 % and two of them in flight are still small. */
const CHUNK_BYTES = 512 * 1024;

/**
 * Files below `root` (a real path). The etag of a file is made of size, modification time and inode, so that a file that
 * is written to, replaced or cut off between the plan and the end of its reading is noticed.
 */
export function createFileSource(root: string): Source {
  return {
    async stat(url, signal) {
      signal?.throwIfAborted();
      const handle = await openInput(root, url).catch((error: unknown) => {
        throw startError(url, error);
      });
      try {
        const stat = await handle.stat({ bigint: true });
        return { length: Number(stat.size), etag: etagOf(stat) };
      } finally {
        await handle.close();
      }
    },
    read: (url, range, signal) => readFile(root, url, range, signal),
  };
}

async function* readFile(
  root: string,
  url: string,
  range: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  signal?.throwIfAborted();
  const handle = await openInput(root, url).catch((error: unknown) => {
    throw readError(error);
  });
  let ahead: Promise<Buffer> | undefined;
  try {
    const stat = await handle.stat({ bigint: true });
    const etag = etagOf(stat);
    if (range.etag !== undefined && range.etag !== etag) throw sourceChanged(url);
    const end = range.end ?? Number(stat.size);
    let position = range.start;
    // one chunk is read ahead while the caller works on the one before
    ahead = position < end ? readChunk(handle, position, end) : undefined;
    while (ahead !== undefined) {
      const chunk = await ahead;
      signal?.throwIfAborted();
      if (chunk.length === 0) throw sourceChanged(url);
      position += chunk.length;
      ahead = position < end ? readChunk(handle, position, end) : undefined;
      // a failure is reported when the chunk is asked for, not while the caller is busy
      ahead?.catch(() => undefined);
      if (ahead === undefined && etagOf(await handle.stat({ bigint: true })) !== etag) throw sourceChanged(url);
      yield chunk;
    }
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : readError(error);
  } finally {
    await ahead?.catch(() => undefined);
    await handle.close();
  }
}

async function readChunk(handle: FileHandle, position: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - position));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
  return buffer.subarray(0, bytesRead);
}

/** Opens the file, which must lie below the root at this very moment (D-26), and must be a file. */
async function openInput(root: string, url: string): Promise<FileHandle> {
  const real = await realpath(fileURLToPath(url));
  if (!isBelow(root, real)) throw outside();
  // not blocking: opening a named pipe would wait for its writer for ever
  const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    // a folder of the path may have become a link between the two calls: ask what was opened, where that can be asked
    const opened = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => real);
    if (!isBelow(root, opened)) throw outside();
    const stat = await handle.stat();
    if (!stat.isFile()) throw new StokerError("source-missing", "The input is not a file.");
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function etagOf(stat: BigIntStats): string {
  return `${stat.size.toString(16)}-${stat.mtimeNs.toString(16)}-${stat.ino.toString(16)}`;
}

function outside(): StokerError {
  return new StokerError("source-forbidden", "The input is not below the file root.");
}

function startError(url: string, error: unknown): StokerError {
  if (error instanceof StokerError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new StokerError("source-missing", `The specified file does not exist. ${url}`, { cause: error });
  }
  if (code === "EACCES" || code === "EPERM" || code === "ELOOP") {
    return new StokerError("source-forbidden", `The server may not read the file. ${url}`, { cause: error });
  }
  return new StokerError("source-failed", `Failed to get properties of file ${url}`, { cause: error });
}

function readError(error: unknown): StokerError {
  if (error instanceof StokerError) {
    if (error.code === "source-missing") return sourceVanished(error);
    return error.code === "source-forbidden" ? sourceUnauthorized(error) : error;
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return sourceVanished(error);
  if (code === "EACCES" || code === "EPERM" || code === "ELOOP") return sourceUnauthorized(error);
  return new StokerError("source-failed", "Reading the input file failed.", { cause: error });
}

import type { FileHandle } from "node:fs/promises";

/** Writes all bytes at the end of an open file. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
}

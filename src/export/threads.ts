import { Worker } from "node:worker_threads";
import { StokerError } from "../base/errors.ts";
import type { ExportedFile, ExportFailure } from "./definition.ts";
import type { ThreadMessage, ThreadOrder, ThreadStart } from "./thread-messages.ts";
import type { ExportUnit } from "./units.ts";

/** A failure in a thread, with what its log should say. */
export class ThreadFailed extends Error {
  override readonly name = "ThreadFailed";
  readonly failure: ExportFailure;
  readonly isFinal: boolean;

  constructor(failure: ExportFailure, isFinal: boolean, reason: string) {
    super(reason);
    this.failure = failure;
    this.isFinal = isFinal;
  }
}

/**
 * Does the units in threads, at most `count` of them, and gives the files. Ends all threads before it returns or throws:
 * with {@link ThreadFailed}, or the reason of `stop`.
 */
export async function runUnits(
  units: readonly ExportUnit[],
  start: ThreadStart,
  count: number,
  stop: AbortSignal,
  onProgress: (resources: number) => void,
): Promise<ExportedFile[]> {
  const waiting = [...units];
  const threads: Worker[] = [];
  const failed = new AbortController();
  const stopped = AbortSignal.any([stop, failed.signal]);
  const runThread = async (): Promise<readonly ExportedFile[]> => {
    const thread = new Worker(threadFile(), { workerData: start });
    threads.push(thread);
    let files: readonly ExportedFile[] | undefined;
    return await new Promise((resolve, reject) => {
      const order = (next: ThreadOrder): void => thread.postMessage(next);
      stopped.addEventListener("abort", () => reject(stopped.reason as Error), { once: true });
      thread.on("message", (message: ThreadMessage) => {
        switch (message.kind) {
          case "ready": {
            const unit = waiting.shift();
            return order(unit === undefined ? { kind: "finish" } : { kind: "unit", unit });
          }
          case "progress":
            return onProgress(message.resources);
          case "files":
            files = message.files;
            return;
          case "failed":
            return reject(new ThreadFailed(message.failure, message.isFinal, message.reason));
        }
      });
      thread.on("error", reject);
      thread.once("exit", () => {
        if (files === undefined) reject(new StokerError("internal", "a thread of an export ended too early"));
        else resolve(files);
      });
    });
  };
  try {
    stopped.throwIfAborted();
    const results = await Promise.all(Array.from({ length: Math.min(count, units.length) }, runThread));
    return results.flat();
  } catch (error) {
    failed.abort(error);
    throw error;
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** The compiled thread: also for tests that run the sources, because a thread cannot load TypeScript on every Node. */
function threadFile(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../dist/export/export-thread.js", here)
    : new URL("./export-thread.js", here);
}

import { Worker } from "node:worker_threads";
import { StokerError } from "../base/errors.ts";
import { isOutOfMemory } from "../base/memory.ts";
import type { ExportedFile, ExportFailure } from "./definition.ts";
import { exportFailureOf } from "./failure.ts";
import type { ThreadMessage, ThreadOrder, ThreadStart } from "./thread-messages.ts";
import type { ExportUnit } from "./units.ts";

/** As for import workers: what a row needs dies at once. */
const YOUNG_GENERATION_MB = 24;

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
 * Does the units in threads, at most `count` of them with so large a heap each, and gives the files. Ends all threads before it returns or throws:
 * with {@link ThreadFailed}, or the reason of `stop`.
 */
export async function runUnits(
  units: readonly ExportUnit[],
  start: ThreadStart,
  count: number,
  heapMegabytes: number,
  stop: AbortSignal,
  onProgress: (resources: number) => void,
): Promise<ExportedFile[]> {
  const waiting = [...units];
  const threads: Worker[] = [];
  const failed = new AbortController();
  const stopped = AbortSignal.any([stop, failed.signal]);
  const runThread = async (): Promise<readonly ExportedFile[]> => {
    const thread = new Worker(threadFile(), {
      workerData: start,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
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
      thread.on("error", (error) => reject(isOutOfMemory(error) ? outOfMemory(heapMegabytes) : error));
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

/** What is exported does not change: other attempts would end the same way. */
function outOfMemory(heapMegabytes: number): ThreadFailed {
  const text = `A thread of the export needed more than ${heapMegabytes} MB of memory; give the server more.`;
  return new ThreadFailed(exportFailureOf(new StokerError("out-of-memory", text, { status: 500 })), true, text);
}

/** The compiled thread: also for tests that run the sources, because a thread cannot load TypeScript on every Node. */
function threadFile(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../dist/export/export-thread.js", here)
    : new URL("./export-thread.js", here);
}

import type { ExportedFile } from "./definition.ts";
import type { OutputFile, OutputFolder } from "./output-file.ts";

/** A file that is longer than this is ended, and another one begun. Bytes. */
const FILE_BYTES = 1 << 30;
/** What is written at once. Of a storage account, a file has at most 50,000 such parts. Bytes. */
const PART_BYTES = 4 << 20;
/** All that may wait to be written, of all types; then the longest part is written as it is. Bytes. */
const WAITING_BYTES = 32 << 20;
const FIRST_BYTES = 64 << 10;

/** Gives the next number of a type's files, from 1: the threads of an export share them. */
export type NextNumber = (type: string) => number;

/**
 * The files of one thread: lines are gathered by type, and written in large parts. Lines are added without waiting;
 * {@link drain} then waits until there is room again.
 */
export class TypeFiles {
  readonly #folder: OutputFolder;
  readonly #nextNumber: NextNumber;
  readonly #kind: ExportedFile["kind"];
  readonly #open = new Map<string, OpenFile>();
  readonly #finished: ExportedFile[] = [];
  #waiting = 0;

  constructor(folder: OutputFolder, kind: ExportedFile["kind"], nextNumber: NextNumber) {
    this.#folder = folder;
    this.#kind = kind;
    this.#nextNumber = nextNumber;
  }

  /** Adds a line, with an end of line. `resources` is how many resources it stands for. */
  add(type: string, line: Uint8Array, resources: number = 1): void {
    let file = this.#open.get(type);
    if (file === undefined) {
      const name = `${this.#kind === "deleted" ? "deleted-" : ""}${type}-${String(this.#nextNumber(type))}.ndjson`;
      file = {
        name,
        type,
        output: undefined,
        part: Buffer.allocUnsafe(FIRST_BYTES),
        filled: 0,
        bytes: 0,
        resources: 0,
      };
      this.#open.set(type, file);
    }
    const end = file.filled + line.length + 1;
    if (end > file.part.length) file.part = grown(file.part, end, file.filled);
    file.part.set(line, file.filled);
    file.part[end - 1] = LINE_FEED;
    file.filled = end;
    file.resources += resources;
    this.#waiting += line.length + 1;
  }

  /** Writes what is worth writing, until there is room again. */
  async drain(): Promise<void> {
    for (const file of this.#open.values()) {
      if (file.filled >= PART_BYTES) await this.#write(file);
    }
    while (this.#waiting > WAITING_BYTES) {
      let longest: OpenFile | undefined;
      for (const file of this.#open.values()) if (file.filled > (longest?.filled ?? 0)) longest = file;
      if (longest === undefined) return;
      await this.#write(longest);
    }
  }

  /** Ends all files. */
  async finish(): Promise<ExportedFile[]> {
    for (const file of this.#open.values()) await this.#finish(file);
    return this.#finished;
  }

  /** Lets go of all files. */
  async abandon(): Promise<void> {
    for (const { output } of this.#open.values()) await output?.abandon().catch(() => {});
    this.#open.clear();
  }

  async #write(file: OpenFile): Promise<void> {
    file.output ??= await this.#folder.create(file.name);
    await file.output.write(file.part.subarray(0, file.filled));
    this.#waiting -= file.filled;
    file.bytes += file.filled;
    file.filled = 0;
    if (file.bytes >= FILE_BYTES) await this.#finish(file);
  }

  async #finish(file: OpenFile): Promise<void> {
    if (file.filled > 0) {
      file.output ??= await this.#folder.create(file.name);
      await file.output.write(file.part.subarray(0, file.filled));
      this.#waiting -= file.filled;
      file.bytes += file.filled;
      file.filled = 0;
    }
    const url = (await file.output?.finish()) ?? null;
    this.#open.delete(file.type);
    const { name, type, resources, bytes } = file;
    this.#finished.push({ kind: this.#kind, name, type, resources, bytes, url });
  }
}

interface OpenFile {
  readonly name: string;
  readonly type: string;
  /** Made with the first part. */
  output: OutputFile | undefined;
  part: Buffer;
  filled: number;
  bytes: number;
  resources: number;
}

const LINE_FEED = 10;

function grown(part: Buffer, needed: number, filled: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.max(needed, part.length * 2));
  part.copy(larger, 0, 0, filled);
  return larger;
}

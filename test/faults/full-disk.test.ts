import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeFaultyFiles, type FaultyFiles } from "../support/generated-files.ts";
import { ended, openWorkplace, startImport, type StokerRun, type Workplace } from "../support/stoker-run.ts";

const run = promisify(execFile);
const DISK_MB = 640;

const place: Workplace = await openWorkplace();
const disk = join(place.data, "..", "disk");
const isMounted = await mountDisk();

afterAll(async () => {
  // Lazily: a server that is still there keeps it until it is killed.
  if (isMounted) await run("umount", ["-l", disk]);
  await place.close();
});

async function mountDisk(): Promise<boolean> {
  await mkdir(disk);
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${String(DISK_MB)}m,mode=0711`, "tmpfs", disk]);
    return true;
  } catch {
    process.stderr.write("test/faults/full-disk.test.ts is skipped: only root may mount a small disk\n");
    return false;
  }
}

describe.skipIf(!isMounted)("a disk that gets full during an import", () => {
  let input: FaultyFiles;
  let server: StokerRun;

  beforeAll(async () => {
    input = await writeFaultyFiles(place.files, 160);
    server = await place.serve({ STOKER_DATA_DIR: join(disk, "data") });
  });

  test("D-12: the import fails with a text that says what to do; the server goes on, and imports when there is room", async () => {
    const filler = join(disk, "filler");
    const { stdout } = await run("df", ["--output=avail", "-m", disk]);
    const free = Number(stdout.trim().split("\n").at(-1));
    await writeFile(filler, Buffer.alloc((free - 190) << 20, 1));
    const full = await ended(server, await startImport(server, input.paths));
    expect(full.status, server.said()).toBe(500);
    expect(server.said()).toMatch(/The disk of \S+ has \d+ MB left, and \d+ MB are needed to continue safely/);
    expect(full.body.issue?.[0]?.diagnostics).toMatch(
      /^import operation failed for reason: The database '\*\*\*\*' has reached its size quota\. Partition or delete data, drop indexes, or consult the documentation for possible resolutions\. ErrorFile: file:/,
    );
    const read = await fetch(`${server.base}/Patient?_count=1&_total=accurate`);
    expect(read.status).toBe(200);
    const ready = await fetch(new URL("/health/ready", server.base));
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: "not ready", reason: "the disk of the database is full" },
    ]);
    const again = await ended(server, await startImport(server, input.paths.slice(0, 5)));
    expect(again.status, "still no room").toBe(500);

    await rm(filler);
    expect((await fetch(new URL("/health/ready", server.base))).status).toBe(200);
    const { status, body } = await ended(server, await startImport(server, input.paths, { unitBytes: 9_000_000 }));
    const { loaded = 0, rejected = 0 } = body.stoker ?? {};
    expect([status, loaded + rejected], server.said()).toEqual([200, input.good + input.bad]);
    expect(await server.end("SIGTERM")).toBe(0);
  });
});

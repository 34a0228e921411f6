import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compileChildProgram, waitForLine, type ChildProgram } from "../testing/child-program.ts";
import { isHolder, lockFolder, type FolderLock } from "./folder-lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function take(): Promise<FolderLock> {
  const lock = await lockFolder(folder);
  if (isHolder(lock)) throw new Error(`held by ${lock.pid}`);
  return lock;
}

describe("lockFolder", () => {
  it("names the holder while it is held, and can be taken again after its release", async () => {
    const first = await take();
    expect(await lockFolder(folder)).toMatchObject({ pid: process.pid });
    await first.release();
    const second = await take();
    expect(await readdir(folder)).toEqual(["lock.2"]);
    await second.release();
  });

  it("has one winner among many at once", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => lockFolder(folder)));
    const locks = results.filter((result) => !isHolder(result)) as FolderLock[];
    expect(locks).toHaveLength(1);
    await locks[0]?.release();
  });

  it("does not believe in a process id that belongs to a later process now", async () => {
    const first = await take();
    await first.release();
    const taken = await take();
    const holder = JSON.parse(await readFile(join(folder, "lock.2"), "utf8")) as { mark: string };
    await taken.release();
    await writeFile(join(folder, "lock.2"), JSON.stringify({ ...holder, mark: `${holder.mark}0` }));
    await (await take()).release();
  });

  it("takes over from a holder in another process space that is silent, and only then", async () => {
    await writeFile(join(folder, "lock.7"), JSON.stringify({ pid: 1, space: "elsewhere" }));
    const lock = await take();
    expect(await readdir(folder)).toEqual(["lock.8"]);
    const foreign = (await readFile(join(folder, "lock.8"), "utf8")).replace(/"space":"/, '"space":"elsewhere ');
    await writeFile(join(folder, "lock.8"), foreign); // our own heartbeat now stands for the other container's
    expect(await lockFolder(folder)).toMatchObject({ pid: process.pid });
    await lock.release();
  });
});

describe("lockFolder between processes", () => {
  let program: ChildProgram;
  beforeAll(async () => {
    program = await compileChildProgram(["postgres/embedded/folder-lock.ts"]);
  });
  afterAll(() => program.close());

  it("is free again when the holder was killed", async () => {
    const child = await program.start(`
      import { lockFolder } from ${JSON.stringify(program.path("postgres/embedded/folder-lock.ts"))};
      await lockFolder(${JSON.stringify(folder)});
      console.log("locked");
      setInterval(() => {}, 1000);`);
    await waitForLine(child, /locked/);
    expect(await lockFolder(folder)).toMatchObject({ pid: child.pid });
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    await (await take()).release();
  });

  it("never has two holders, with holders killed at any time", async () => {
    const script = `
      import { lockFolder, isHolder } from ${JSON.stringify(program.path("postgres/embedded/folder-lock.ts"))};
      import { rmSync, writeFileSync } from "node:fs";
      const folder = ${JSON.stringify(folder)};
      for (let taken = 0; taken < 15; ) {
        const lock = await lockFolder(folder);
        if (isHolder(lock)) continue;
        taken++;
        // Exclusive creation fails when somebody else is in here.
        writeFileSync(folder + "/inside", String(process.pid), { flag: "wx" });
        await new Promise((resolve) => setTimeout(resolve, 1));
        rmSync(folder + "/inside");
        if (process.argv[2] !== undefined && taken === 5) process.kill(process.pid, "SIGKILL"); // while holding it
        await lock.release();
      }`;
    const ends = Array.from({ length: 6 }, async (_, index) => {
      const child = await program.start(index % 2 === 0 ? script : script.replace("process.argv[2]", "folder"));
      let said = "";
      child.stderr?.on("data", (text) => (said += String(text)));
      const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
        child.once("close", (code, signal) => resolve([code, signal])),
      );
      return index % 2 === 0 ? { code, said } : { signal, said };
    });
    const results = await Promise.all(ends);
    expect(results).toEqual(
      results.map((_, index) => (index % 2 === 0 ? { code: 0, said: "" } : { signal: "SIGKILL", said: "" })),
    );
  });
});

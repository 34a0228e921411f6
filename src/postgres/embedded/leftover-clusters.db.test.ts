import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLogger } from "../../base/logger.ts";
import { bytesOfCluster, findLeftoverClusters, removeLeftoverCluster } from "./leftover-clusters.ts";
import { openEmbedded, type EmbeddedServer } from "./open-embedded.ts";
import { isTemporary, openFolders } from "./place.ts";

const logger = openLogger("silent", "test");

let folder: string;
let data: string;
let reachable: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-leftover-")));
  await chmod(folder, 0o755);
  await mkdir(join(folder, "closed"), { mode: 0o700 });
  data = join(folder, "closed", "data");
  reachable = join(folder, "reachable");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function start(stop?: AbortSignal, notices: string[] = []): Promise<EmbeddedServer> {
  return await openEmbedded({
    dataDirectory: data,
    logger,
    durable: false,
    memoryBytes: 2 ** 29,
    folders: [reachable],
    notice: (text) => notices.push(text),
    ...(stop === undefined ? {} : { stop }),
  });
}

describe.runIf(process.getuid?.() === 0)("a cluster outside of its data folder", () => {
  it("is told of, found when its data folder is gone, and removed, but not while it is in use", async () => {
    const notices: string[] = [];
    const server = await start(undefined, notices);
    const place = join(reachable, "clusters", (await readdir(join(reachable, "clusters")))[0] ?? "", "postgres");
    expect(notices).toEqual([
      `Creating the database in ${place}: this takes a few seconds, but only the first time.`,
      expect.stringMatching(
        new RegExp(`^The database of ${data} lies in ${place}, because PostgreSQL runs as user \\w+,`),
      ),
    ]);
    expect(await findLeftoverClusters([reachable])).toEqual([]);
    await rm(data, { recursive: true });
    const [found] = await findLeftoverClusters([reachable]);
    expect(found).toEqual({ folder: join(place, ".."), dataDirectory: data });
    if (found === undefined) return;
    expect(await bytesOfCluster(found)).toBeGreaterThan(10e6);
    expect(await removeLeftoverCluster(found, logger)).toBe(false);
    await server.close();
    expect(await removeLeftoverCluster(found, logger)).toBe(true);
    expect(await readdir(join(reachable, "clusters"))).toEqual([]);
  });

  it("goes by itself when its data folder was a temporary one", async () => {
    await (await start()).close();
    await rm(data, { recursive: true });
    await (await start()).close();
    expect(await readdir(join(reachable, "clusters"))).toHaveLength(1);
    expect(await findLeftoverClusters([reachable])).toEqual([]);
  });
});

describe("the making of a cluster", () => {
  it("can be stopped, and leaves nothing behind", async () => {
    const stop = new AbortController();
    const making = start(stop.signal).catch((error: unknown) => error);
    const parent = process.getuid?.() === 0 ? join(reachable, "clusters") : data;
    const begun = async (): Promise<boolean> => {
      const names = await readdir(parent, { recursive: true }).catch(() => []);
      return names.some((name) => /\.new-[0-9a-f]+\/PG_VERSION$/.test(name));
    };
    while (!(await begun())) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort("SIGINT");
    expect(await making).toBe("SIGINT");
    expect(existsSync(parent) ? (await readdir(parent)).filter((name) => !name.startsWith("stoker.lock")) : []).toEqual(
      [],
    );
    const server = await start();
    expect((await stat(server.cluster)).isDirectory()).toBe(true);
    await server.close();
  });
});

it("places for lasting data are not for temporary data folders", () => {
  expect(isTemporary(data)).toBe(true);
  expect(isTemporary("/srv/stoker")).toBe(false);
  expect(openFolders(data).filter((path) => !isTemporary(path))).toEqual([]);
});

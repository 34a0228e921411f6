import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseServerUser, firstClosedFolder, serverUserById } from "./server-user.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-user-"));
  await chmod(folder, 0o755);
});
afterEach(() => rm(folder, { recursive: true }));

const ROOT = "root:x:0:0:root:/root:/bin/sh\n";
const NOBODY = "nobody:x:65534:65533::/:/bin/false\n";
const POSTGRES = "postgres:x:26:27:PostgreSQL:/:/bin/sh\n";

describe("chooseServerUser", () => {
  it.each([
    [ROOT + NOBODY + POSTGRES, { name: "postgres", uid: 26, gid: 27 }],
    [ROOT + NOBODY, { name: "nobody", uid: 65534, gid: 65533 }],
  ])("chooses an unprivileged user that exists", async (text, user) => {
    await writeFile(join(folder, "passwd"), text);
    expect(await chooseServerUser(join(folder, "passwd"))).toEqual(user);
  });

  it.each([ROOT, "postgres:x:0:0::/:/bin/sh\n", ""])("refuses a system without one", async (text) => {
    await writeFile(join(folder, "passwd"), text);
    await expect(chooseServerUser(join(folder, "passwd"))).rejects.toMatchObject({ code: "setting" });
  });

  it("names users, and numbers without a name", async () => {
    await writeFile(join(folder, "passwd"), POSTGRES);
    expect((await serverUserById(26, 27, join(folder, "passwd"))).name).toBe("postgres");
    expect((await serverUserById(99, 99, join(folder, "passwd"))).name).toBe("uid 99");
  });
});

describe("firstClosedFolder", () => {
  it("finds the folder on the way that a user may not enter", async () => {
    const closed = join(folder, "closed");
    const inner = join(closed, "open");
    await mkdir(inner, { recursive: true });
    await chmod(closed, 0o700);
    await chmod(inner, 0o755);
    const { uid, gid } = await stat(closed);
    const other = { name: "other", uid: uid + 1, gid: gid + 1 };
    expect(await firstClosedFolder(inner, other)).toBe(closed);
    expect(await firstClosedFolder(inner, { name: "owner", uid, gid })).toBe(undefined);
    await chmod(closed, 0o710);
    expect(await firstClosedFolder(inner, { ...other, gid })).toBe(undefined);
    await chmod(closed, 0o711);
    expect(await firstClosedFolder(inner, other)).toBe(undefined);
  });
});

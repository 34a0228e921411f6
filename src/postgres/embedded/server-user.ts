import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { StokerError } from "../../base/errors.ts";

/** The system user that the server runs as, when it is not the one Stoker runs as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** True when Stoker runs as root, which PostgreSQL refuses to do. */
export function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Chooses an unprivileged user for a server started by root: `postgres` where it exists, else `nobody`. No user is
 * ever created. Throws `setting` when there is neither.
 */
export async function chooseServerUser(passwd = "/etc/passwd"): Promise<ServerUser> {
  const users = await readUsers(passwd);
  const user = users.find((user) => user.name === "postgres") ?? users.find((user) => user.name === "nobody");
  if (user === undefined || user.uid === 0) {
    throw new StokerError(
      "setting",
      "PostgreSQL does not run as root, and this system has neither a user postgres nor a user nobody: run Stoker as " +
        "an ordinary user, or set STOKER_DATABASE_URL.",
      { expression: "STOKER_DATABASE_URL" },
    );
  }
  return user;
}

/** The user with this number; the server of an existing cluster must run as the cluster's owner. */
export async function serverUserById(uid: number, gid: number, passwd = "/etc/passwd"): Promise<ServerUser> {
  const users = await readUsers(passwd);
  return { name: users.find((user) => user.uid === uid)?.name ?? `uid ${uid}`, uid, gid };
}

/**
 * The first folder on the way to `path` (itself included) that `user` may not enter, or undefined when all is open.
 * Reads the modes only: access lists are not looked at.
 */
export async function firstClosedFolder(path: string, user: ServerUser): Promise<string | undefined> {
  const way: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    way.unshift(folder);
    if (dirname(folder) === folder) break;
  }
  for (const folder of way) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return folder;
  }
  return undefined;
}

async function readUsers(passwd: string): Promise<ServerUser[]> {
  const text = await readFile(passwd, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    if (name === undefined || uid === undefined || gid === undefined) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

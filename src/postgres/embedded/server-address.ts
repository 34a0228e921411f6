import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SOCKET_FOLDER_PREFIX } from "./leftover-server.ts";
import type { ServerSettings } from "./server-settings.ts";
import type { ServerUser } from "./server-user.ts";

/** Where the server listens. */
export interface ServerAddress {
  /** Folder of the Unix socket, or a host. */
  readonly host: string;
  readonly port: number;
  readonly settings: ServerSettings;
  /** Removes what was made for it. */
  close(): Promise<void>;
}

/** Part of the socket's file name only; each server has a folder of its own. */
const SOCKET_PORT = 5432;
/** A socket's whole path has 103 bytes on macOS, 107 on Linux, `/.s.PGSQL.5432` of them for its name. */
const MAX_FOLDER_BYTES = 86;

/**
 * Chooses a Unix socket inside the cluster (mode 0700, so nobody else gets at it, and two servers cannot meet), in a
 * short temporary folder where the cluster's path is too long, and a free TCP port of the loopback address on Windows.
 */
export async function chooseAddress(cluster: string, user: ServerUser | undefined): Promise<ServerAddress> {
  if (process.platform === "win32") {
    const port = await freePort();
    const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", port: String(port) };
    return { host: "127.0.0.1", port, settings, close: () => Promise.resolve() };
  }
  // The setting is a list with commas and quotes of its own.
  if (Buffer.byteLength(cluster) <= MAX_FOLDER_BYTES && !/[",]/.test(cluster)) {
    return { host: cluster, port: SOCKET_PORT, settings: socketSettings(cluster), close: () => Promise.resolve() };
  }
  const parent = Buffer.byteLength(tmpdir()) <= MAX_FOLDER_BYTES - 20 ? tmpdir() : "/tmp";
  const folder = await mkdtemp(join(parent, SOCKET_FOLDER_PREFIX));
  await chmod(folder, 0o700);
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  return {
    host: folder,
    port: SOCKET_PORT,
    settings: socketSettings(folder),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

function socketSettings(folder: string): ServerSettings {
  return {
    listen_addresses: "",
    unix_socket_directories: `"${folder}"`,
    unix_socket_permissions: "0700",
    port: String(SOCKET_PORT),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

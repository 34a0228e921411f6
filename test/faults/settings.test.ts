import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let folder: string;
let file: string;
const busy = createServer();
let busyPort = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stoker-settings-"));
  await chmod(folder, 0o711); // started by root, PostgreSQL runs as another user
  file = join(folder, "file");
  await writeFile(file, "");
  busy.listen(0, "127.0.0.1");
  await once(busy, "listening");
  busyPort = String((busy.address() as AddressInfo).port);
});

afterAll(async () => {
  busy.close();
  await rm(folder, { recursive: true, force: true });
});

describe.concurrent("settings that make no sense stop the start with one line that names the setting", () => {
  test.each<[setting: string, value: string | (() => string), more?: Readonly<Record<string, string>>]>([
    ["STOKER_HOST", "0.0.0.0"],
    ["STOKER_HOST", "fhir.example.org"],
    ["STOKER_HOST", "not a host!"],
    ["STOKER_HOST", "127.0.0.999"],
    ["STOKER_PORT", "http"],
    ["STOKER_PORT", "-1"],
    ["STOKER_PORT", "65536"],
    ["STOKER_PORT", "80.5"],
    ["STOKER_PORT", () => busyPort],
    ["STOKER_BASE_URL", "fhir"],
    ["STOKER_BASE_URL", "ftp://example.org/fhir"],
    ["STOKER_BASE_URL", "https://example.org/fhir?x=1"],
    ["STOKER_DATABASE_URL", "localhost:5432"],
    ["STOKER_DATABASE_URL", "mysql://root@localhost/x"],
    ["STOKER_DATABASE_URL", "postgres://u:secret@127.0.0.1:9/d"],
    ["STOKER_DATABASE_URL", "postgres://u:secret@stoker.invalid/d"],
    ["STOKER_DATA_DIR", () => file],
    ["STOKER_DATA_DIR", () => join(file, "below")],
    ["STOKER_DATA_DIR", "/proc/stoker"],
    ["STOKER_WORKERS", "0"],
    ["STOKER_WORKERS", "many"],
    ["STOKER_WORKERS", "1000000"],
    ["STOKER_IMPORT_ENABLED", "maybe"],
    ["STOKER_INITIAL_IMPORT_MODE", "2"],
    ["STOKER_IMPORT_MAX_INPUTS", "0"],
    ["STOKER_AZURE_STORAGE_CONNECTION_STRING", "nonsense"],
    ["STOKER_AZURE_STORAGE_CONNECTION_STRING", "AccountName=a"],
    ["STOKER_AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=secret!"],
    ["STOKER_AZURE_STORAGE_URL", "http://account.blob.core.windows.net"],
    [
      "STOKER_AZURE_STORAGE_URL",
      "https://account.blob.core.windows.net",
      {
        STOKER_AZURE_STORAGE_CONNECTION_STRING: "UseDevelopmentStorage=true",
      },
    ],
    ["STOKER_FILE_ROOT", "/no/such/folder"],
    ["STOKER_FILE_ROOT", () => file],
    ["STOKER_AUTH_ISSUER", "http://login.example.org"],
    ["STOKER_AUTH_ISSUER", "https://login.example.org"],
    ["STOKER_AUTH_AUDIENCE", "fhir"],
    ["STOKER_DATE_EQUALITY", "same"],
    ["STOKER_TIME_ZONE", "Middle/Earth"],
    ["STOKER_TIME_ZONE", "+01:00"],
    ["STOKER_LOG_LEVEL", "loud"],
  ])("%s %s", async (setting, value, more = {}) => {
    const text = typeof value === "function" ? value() : value;
    const { code, stdout, stderr } = await serve({ ...more, [setting]: text });
    expect(stdout).toBe("");
    expect(code).toBe(2);
    expect(stderr).toContain(setting);
    expect(stderr.trimEnd().split("\n").length, stderr).toBe(1);
    expect(stderr).toMatch(/^stoker: /);
    expect(stderr).not.toContain("secret");
  });
});

async function serve(
  settings: Readonly<Record<string, string>>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("STOKER_"));
  const child = spawn(process.execPath, [resolve("bin", "stoker"), "serve"], {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), STOKER_PORT: "0", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    child.kill("SIGKILL"); // it started, which the test will say
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  await once(child, "close");
  return { code: child.exitCode, stdout, stderr };
}

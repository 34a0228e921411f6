import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StokerError } from "./errors.ts";
import { configurationPage, settingsHelp } from "./setting-help.ts";
import { baseUrlOf, closestWord, loadSettings, type SettingSources } from "./settings.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stoker-settings-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(sources: SettingSources): ReturnType<typeof loadSettings> {
  return loadSettings({ environment: {}, folder, ...sources });
}

function failure(sources: SettingSources): string {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof StokerError && error.code === "setting") return error.message;
    throw error;
  }
  throw new Error("no failure");
}

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

describe("where a setting comes from", () => {
  test("defaults", () => {
    const settings = load({});
    expect(settings).toMatchObject({ host: "127.0.0.1", port: 8080, importEnabled: true, logLevel: "info" });
    expect(settings.dataDir).toBe(join(folder, ".stoker"));
    expect(settings.workers).toBeGreaterThan(0);
    expect(Object.isFrozen(settings)).toBe(true);
  });

  test("flags win over environment, environment over file", () => {
    const configFile = file("layers.json", { port: 1, workers: 1, logLevel: "warn" });
    const settings = load({
      configFile,
      environment: { STOKER_PORT: "2", STOKER_WORKERS: "2" },
      flags: { port: "3" },
    });
    expect(settings).toMatchObject({ port: 3, workers: 2, logLevel: "warn" });
  });

  test("an empty environment variable counts as unset", () => {
    expect(load({ environment: { STOKER_PORT: "" } }).port).toBe(8080);
  });

  test.each([
    ["true", true],
    ["FALSE", false],
    ["1", true],
    ["off", false],
  ])("boolean %s", (text, value) => {
    expect(load({ environment: { STOKER_INITIAL_IMPORT_MODE: text } }).initialImportMode).toBe(value);
  });

  test("origins are a list", () => {
    expect(load({}).corsOrigins).toEqual([]);
    const environment = { STOKER_CORS_ORIGINS: "https://a.example, http://localhost:3000" };
    expect(load({ environment }).corsOrigins).toEqual(["https://a.example", "http://localhost:3000"]);
    expect(load({ environment: { STOKER_CORS_ORIGINS: "*" } }).corsOrigins).toEqual(["*"]);
  });

  test("base URL without trailing slash; else from the address", () => {
    expect(load({ flags: { baseUrl: "https://a.example/fhir/" } }).baseUrl).toBe("https://a.example/fhir");
    expect(baseUrlOf(load({}), 4711)).toBe("http://127.0.0.1:4711/fhir");
    expect(baseUrlOf(load({ flags: { host: "::1" } }), 1)).toBe("http://[::1]:1/fhir");
  });
});

describe("refused with one line that names the setting", () => {
  test.each<[string, SettingSources, RegExp]>([
    [
      "origin with a path",
      { flags: { corsOrigins: "https://a.example/app" } },
      /^STOKER_CORS_ORIGINS .*origins separated/,
    ],
    ["origin without a scheme", { environment: { STOKER_CORS_ORIGINS: "*, a.example" } }, /STOKER_CORS_ORIGINS/],
    ["port", { environment: { STOKER_PORT: "99999" } }, /^STOKER_PORT is "99999"; it must be a port number/],
    ["port text", { flags: { port: "http" } }, /^STOKER_PORT \(--port\) is "http"/],
    ["workers", { environment: { STOKER_WORKERS: "0" } }, /^STOKER_WORKERS is "0"; .* from 1 to 256$/],
    ["fraction", { flags: { workers: 1.5 } }, /^STOKER_WORKERS \(--workers\) is 1.5/],
    ["log level", { environment: { STOKER_LOG_LEVEL: "loud" } }, /^STOKER_LOG_LEVEL is "loud"; .*info/],
    ["boolean", { environment: { STOKER_IMPORT_ENABLED: "maybe" } }, /true or false$/],
    ["base URL", { flags: { baseUrl: "ftp://x" } }, /^STOKER_BASE_URL/],
    ["file root missing", { flags: { fileRoot: "./nowhere" } }, /^STOKER_FILE_ROOT .*there is no such folder/],
    ["host without authentication", { flags: { host: "0.0.0.0" } }, /^STOKER_HOST is "0.0.0.0", but without authent/],
    ["issuer", { environment: { STOKER_AUTH_ISSUER: "https://login.example" } }, /not supported yet/],
    ["issuer over http", { environment: { STOKER_AUTH_ISSUER: "http://login.example" } }, /an https URL/],
    [
      "both storages",
      { environment: { STOKER_AZURE_STORAGE_CONNECTION_STRING: "a=b", STOKER_AZURE_STORAGE_URL: "https://x" } },
      /set only one/,
    ],
    ["empty flag", { flags: { host: "" } }, /^STOKER_HOST \(--host\) is ""/],
  ])("%s", (_name, sources, message) => {
    const line = failure(sources);
    expect(line).toMatch(message);
    expect(line).not.toContain("\n");
  });

  test("secrets are not printed", () => {
    const line = failure({ environment: { STOKER_DATABASE_URL: "mysql://u:geheim@h/d" } });
    expect(line).toContain("(hidden)");
    expect(line).not.toContain("geheim");
  });

  test("file root that is a file", () => {
    expect(failure({ flags: { fileRoot: file("plain.txt", "x") } })).toContain("that is not a folder");
  });

  test("a worker listens nowhere", () => {
    expect(load({ flags: { host: "0.0.0.0" }, listens: false }).host).toBe("0.0.0.0");
  });

  test("settings file: unknown key with hint, bad JSON, wrong shape, missing", () => {
    expect(failure({ configFile: file("typo.json", { databseUrl: "x" }) })).toContain('did you mean "databaseUrl"?');
    expect(failure({ configFile: file("broken.json", "{") })).toContain("is not valid JSON");
    expect(failure({ configFile: file("list.json", "[]") })).toContain("one JSON object");
    expect(failure({ configFile: "absent.json" })).toContain("cannot be read");
  });
});

test("closest word", () => {
  expect(closestWord("prot", ["port", "host"])).toBe("port");
  expect(closestWord("STOKER_PROT", ["STOKER_PORT"])).toBe("STOKER_PORT");
  expect(closestWord("zebra", ["port", "host"])).toBeUndefined();
});

describe("documentation", () => {
  const page = new URL("../../docs/configuration.md", import.meta.url);
  test("docs/configuration.md is what the table says", () => {
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(page, configurationPage());
    expect(readFileSync(page, "utf8")).toBe(configurationPage());
  });

  test("environment variables, flags and keys are unique", () => {
    const rows = settingsHelp();
    for (const column of ["env", "flag", "key"] as const) {
      expect(new Set(rows.map((row) => row[column])).size).toBe(rows.length);
    }
  });
});

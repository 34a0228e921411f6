import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StokerError } from "../base/errors.ts";
import { createSources } from "./sources.ts";

const R008 =
  "The import storage account is not configured correctly on the server. Import operations require a valid storage account.";
const R011 = "Value of the following parameter input.url is invalid.";
const R012 = "input.url must match the configured integration storage account endpoint.";

const azureConnectionString = "AccountName=acct;AccountKey=c2VjcmV0;DefaultEndpointsProtocol=https";
const azure = createSources({ azureConnectionString });
const BASE = "https://acct.blob.core.windows.net";

let folder: string;
let root: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-sources-")));
  root = join(folder, "root");
  await mkdir(join(root, "sub folder"), { recursive: true });
  await mkdir(join(folder, "root-other"));
  await writeFile(join(root, "a.ndjson"), "{}\n");
  await writeFile(join(root, "sub folder", "é.ndjson"), "{}\n");
  await writeFile(join(folder, "secret.ndjson"), "{}\n");
  await writeFile(join(folder, "root-other", "x.ndjson"), "{}\n");
  await symlink(join(folder, "secret.ndjson"), join(root, "link-out"));
  await symlink(folder, join(root, "folder-out"));
  await symlink(join(root, "a.ndjson"), join(root, "link-in"));
  await symlink("loop", join(root, "loop"));
  await symlink(root, join(folder, "root-link"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof StokerError && error.code === "bad-request" && error.status === 400) return error.message;
    throw error;
  }
  return "accepted";
}

describe("blob urls", () => {
  it.each([
    ["plain", `${BASE}/c/n.ndjson`, "accepted"],
    ["upper-case host, default port", "https://ACCT.blob.core.windows.net:443/c/n", "accepted"],
    ["D-18 signature", `${BASE}/c/n.ndjson?sv=2024&sig=abc%3D`, "accepted"],
    ["R-011 missing", undefined, R011],
    ["R-011 empty", "", R011],
    ["R-011 relative", "/c/n.ndjson", R011],
    ["D-25 another query string", `${BASE}/c/n.ndjson?snapshot=2024`, R011],
    ["R-011 fragment", `${BASE}/c/n.ndjson#x`, R011],
    ["R-011 user", "https://me:pw@acct.blob.core.windows.net/c/n", R011],
    ["R-011 bad encoding", `${BASE}/c/%E0%A4%A`, R011],
    ["R-011 line break inside", `${BASE}/c/n\n.ndjson`, R011],
    ["R-011 no blob", `${BASE}/`, R011],
    ["R-011 container only", `${BASE}/c/`, R011],
    ["R-012 other account", "https://other.blob.core.windows.net/c/n", R012],
    ["R-012 other scheme", "http://acct.blob.core.windows.net/c/n", R012],
    ["R-012 other port", "https://acct.blob.core.windows.net:8443/c/n", R012],
    ["R-012 no such kind of source", "ftp://acct.blob.core.windows.net/c/n", R012],
    ["R-012 file without a root", "file:///etc/passwd", R012],
  ])("%s", (_name, url, expected) => {
    expect(refusal(() => azure.checkUrl(url))).toBe(expected);
  });

  it("D-18 drops the signature", () => {
    const checked = azure.checkUrl(`${BASE}/c/n.ndjson?sv=2024&sig=secret`);
    expect(checked).toEqual({ url: `${BASE}/c/n.ndjson`, kind: "blob", key: `${BASE}/c/n.ndjson` });
  });

  it("R-008 only when nothing is configured (D-24)", () => {
    const none = createSources({});
    expect(refusal(() => none.checkConfigured())).toBe(R008);
    expect(refusal(() => none.checkUrl(`${BASE}/c/n`))).toBe(R008);
    expect(refusal(() => azure.checkConfigured())).toBe("accepted");
    expect(refusal(() => createSources({ fileRoot: root }).checkUrl(`${BASE}/c/n`))).toBe(R012);
  });

  it("finds the account of a url among two", () => {
    const two = createSources({ azureConnectionString, azureStorageUrl: "https://second.blob.core.windows.net" });
    expect(two.sourceFor(`${BASE}/c/n`)).toBe(two.sourceFor(`${BASE}/c/m`));
    expect(two.sourceFor("https://second.blob.core.windows.net/c/n")).not.toBe(two.sourceFor(`${BASE}/c/n`));
    expect(refusal(() => two.sourceFor("https://third.blob.core.windows.net/c/n"))).toBe(R012);
  });

  it.each([
    ["signatures only", `${BASE}/c/n?sv=1&sig=a`, `${BASE}/c/n?sv=2&sig=b`, true],
    ["signature and none", `${BASE}/c/n?sv=1&sig=a`, `${BASE}/c/n`, true],
    ["encoding", `${BASE}/c/a%20b`, `${BASE}/c/a b`, true],
    ["host case", `${BASE}/c/n`, "HTTPS://Acct.Blob.Core.Windows.Net/c/n", true],
    ["two without url", undefined, undefined, true],
    ["name case", `${BASE}/c/n`, `${BASE}/c/N`, false],
    ["other queries", `${BASE}/c/n?a=1`, `${BASE}/c/n?a=2`, false],
    ["malformed", "x", "y", false],
  ])("R-009 identity of inputs that differ in: %s", (_name, left, right, same) => {
    expect(azure.duplicateKey(left) === azure.duplicateKey(right)).toBe(same);
  });

  it("settles for plain data, so that threads can be given it", () => {
    const config = { fileRoot: root, azureConnectionString };
    expect(refusal(() => createSources(structuredClone(config)).checkUrl(`${BASE}/c/n`))).toBe("accepted");
  });
});

describe("file urls (D-26)", () => {
  it.each([
    ["a file", "a.ndjson", "accepted"],
    ["a folder and letters beyond ASCII", "sub%20folder/%C3%A9.ndjson", "accepted"],
    ["a link that stays inside", "link-in", "accepted"],
    ["missing below the root: known when the job starts", "nothing/here.ndjson", "accepted"],
    ["a link that leaves", "link-out", R012],
    ["a folder link that leaves", "folder-out/secret.ndjson", R012],
    ["a missing file behind a link that leaves", "folder-out/nothing.ndjson", R012],
    ["a loop of links", "loop", R012],
    ["dots", "../secret.ndjson", R012],
    ["dots that stay inside", "sub%20folder/../a.ndjson", R012],
    ["encoded dots", "%2e%2E/secret.ndjson", R012],
    ["half encoded dots", ".%2e/secret.ndjson", R012],
    ["backslash dots", "..\\secret.ndjson", R012],
    ["encoded slash", "..%2fsecret.ndjson", R011],
    ["encoded backslash", "sub%5ca", R011],
    ["NUL", "a.ndjson%00", R011],
    ["bad encoding", "%ff", R011],
    ["a folder", "sub%20folder", R011],
    ["the root", "", R011],
    ["a query string", "a.ndjson?x=1", R011],
    ["a signature", "a.ndjson?sig=1", R011],
    ["a fragment", "a.ndjson#x", R011],
  ])("%s", (_name, path, expected) => {
    const sources = createSources({ fileRoot: root });
    expect(refusal(() => sources.checkUrl(`${pathToFileURL(root).href}/${path}`))).toBe(expected);
  });

  it.each(["file:///etc/passwd", "file://host/share/a", "file:/etc/passwd", "file:etc", "file://"])(
    "refuses %s",
    (url) => {
      expect(refusal(() => createSources({ fileRoot: root }).checkUrl(url))).toBe(R012);
    },
  );

  it("does not take a folder whose name begins like the root's for one below it", () => {
    const url = pathToFileURL(join(folder, "root-other", "x.ndjson")).href;
    expect(refusal(() => createSources({ fileRoot: root }).checkUrl(url))).toBe(R012);
  });

  it("accepts the local host's name and a root that is a link", () => {
    const sources = createSources({ fileRoot: join(folder, "root-link") });
    expect(refusal(() => sources.checkUrl(`file://localhost${join(root, "a.ndjson")}`))).toBe("accepted");
    const through = pathToFileURL(join(folder, "root-link", "a.ndjson")).href;
    expect(refusal(() => sources.checkUrl(through))).toBe("accepted");
  });

  it.each(["nothing", "secret.ndjson"])("a root that is no folder stops the start: %s", (name) => {
    expect(() => createSources({ fileRoot: join(folder, name) })).toThrow(expect.objectContaining({ code: "setting" }));
  });
});

describe("what a refusal means for people, beside the contract's text", () => {
  it.each([
    ["none", `${BASE}/c/n`, /nothing to read from: .*STOKER_FILE_ROOT.*STOKER_AZURE_STORAGE_CONNECTION_STRING/],
    ["folder", "file:///etc/passwd", /^The file is not below the folder of STOKER_FILE_ROOT/],
    ["folder", `${BASE}/c/n`, /^This server reads no storage account: set STOKER_AZURE_STORAGE_CONNECTION_STRING/],
    ["folder", "s3://bucket/key.ndjson", /^URLs that begin with s3: are not read; https: .* and file: URLs are\.$/],
    ["folder", "/data/Patient.ndjson", /^input.url must be an absolute URL: .* file:\/\/\/data\/Patient\.ndjson\.$/],
    ["folder", undefined, /^Each input needs a url/],
    ["azure", "file:///etc/passwd", /^This server reads no local files: set STOKER_FILE_ROOT/],
    ["azure", "https://other.example.org/c/n?sig=secret", /^other\.example\.org is not the storage account/],
  ])("a server with %s, asked for %s", (kind, url, expected) => {
    const sources = kind === "none" ? createSources({}) : kind === "folder" ? createSources({ fileRoot: root }) : azure;
    const text = details(sources, url);
    expect(text).toMatch(expected);
    expect(text).not.toMatch(/integration|secret/);
  });
});

/** What the refusal of a URL says for people. */
function details(sources: ReturnType<typeof createSources>, url: string | undefined): string | undefined {
  try {
    sources.checkUrl(url);
  } catch (error) {
    return error instanceof StokerError ? error.details : undefined;
  }
  return "accepted";
}

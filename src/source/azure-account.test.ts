import { describe, expect, it } from "vitest";
import { blobInAccount, blobUrl, parseConnectionString, parseStorageUrl } from "./azure-account.ts";

const KEY = "c2VjcmV0LWtleQ==";

describe("parseConnectionString", () => {
  it.each([
    [
      "derived from the name",
      `DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=${KEY};EndpointSuffix=core.windows.net`,
      "https://acct.blob.core.windows.net",
    ],
    ["defaults", `AccountName=acct;AccountKey=${KEY}`, "https://acct.blob.core.windows.net"],
    [
      "another cloud",
      `AccountName=acct;AccountKey=${KEY};EndpointSuffix=core.chinacloudapi.cn`,
      "https://acct.blob.core.chinacloudapi.cn",
    ],
    [
      "D-23 explicit endpoint",
      `AccountName=a;AccountKey=${KEY};BlobEndpoint=http://127.0.0.1:11000/a/;`,
      "http://127.0.0.1:11000/a",
    ],
    ["any letter case", `accountname=a;ACCOUNTKEY=${KEY};blobendpoint=https://h/`, "https://h"],
    ["emulator", "UseDevelopmentStorage=true", "http://127.0.0.1:10000/devstoreaccount1"],
    ["shared access signature", "BlobEndpoint=https://h;SharedAccessSignature=?sv=1&sig=x", "https://h"],
  ])("%s", (_name, text, endpoint) => {
    expect(parseConnectionString(text).endpoint).toBe(endpoint);
  });

  it("keeps a key that holds equals signs", () => {
    expect(parseConnectionString(`AccountName=a;AccountKey=${KEY}`).credential).toEqual({
      kind: "shared-key",
      accountName: "a",
      accountKey: KEY,
    });
  });

  it.each([
    "",
    "nonsense",
    `AccountKey=${KEY}`,
    `AccountName=a;AccountKey=${KEY};BlobEndpoint=ftp://h`,
    `BlobEndpoint=https://h`,
  ])("refuses %j without repeating a key", (text) => {
    expect(() => parseConnectionString(text)).toThrow(expect.objectContaining({ code: "setting" }));
    expect(() => parseConnectionString(text)).not.toThrow(KEY);
  });
});

describe("parseStorageUrl", () => {
  it("means managed identity, or the signature it carries", () => {
    expect(parseStorageUrl("https://acct.blob.core.windows.net/")).toEqual({
      endpoint: "https://acct.blob.core.windows.net",
      credential: { kind: "managed-identity" },
    });
    expect(parseStorageUrl("https://h/?sv=1&sig=s").credential).toEqual({ kind: "sas", query: "sv=1&sig=s" });
  });

  it.each(["", "acct", "file:///x", "https://user@host"])("refuses %j", (text) => {
    expect(() => parseStorageUrl(text)).toThrow(expect.objectContaining({ code: "setting" }));
  });
});

describe("blobInAccount (R-012, D-23)", () => {
  const cloud = parseConnectionString(`AccountName=acct;AccountKey=${KEY}`);
  const local = parseConnectionString("UseDevelopmentStorage=true");
  it.each([
    [cloud, "https://acct.blob.core.windows.net/c/a/b%20c.ndjson", { container: "c", name: "a/b c.ndjson" }],
    [cloud, "https://ACCT.blob.core.windows.net:443/c/n", { container: "c", name: "n" }],
    [cloud, "https://acct.blob.core.windows.net/n", { container: "$root", name: "n" }],
    [cloud, "https://acct.blob.core.windows.net/c/", { container: "c", name: "" }],
    [cloud, "http://acct.blob.core.windows.net/c/n", undefined],
    [cloud, "https://acct.blob.core.windows.net:444/c/n", undefined],
    [cloud, "https://other.blob.core.windows.net/c/n", undefined],
    [cloud, "https://acct.blob.core.windows.net.evil.example/c/n", undefined],
    [local, "http://127.0.0.1:10000/devstoreaccount1/c/n", { container: "c", name: "n" }],
    [local, "http://127.0.0.1:10000/devstoreaccount2/c/n", undefined],
    [local, "http://127.0.0.1:10000/devstoreaccount1evil/c/n", undefined],
    [local, "http://127.0.0.1:10001/devstoreaccount1/c/n", undefined],
    [local, "http://localhost:10000/devstoreaccount1/c/n", undefined],
    [local, "http://127.0.0.1:10000/devstoreaccount1/../devstoreaccount2/c/n", undefined],
  ])("%#: %s", (account, url, expected) => {
    expect(blobInAccount(account, new URL(url))).toEqual(expected);
  });

  it("makes a blob's url, encoded", () => {
    expect(blobUrl(local, { container: "c", name: "a/b c#.ndjson" })).toBe(
      "http://127.0.0.1:10000/devstoreaccount1/c/a/b%20c%23.ndjson",
    );
  });
});

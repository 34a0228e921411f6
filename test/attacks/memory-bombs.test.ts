import { readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RESOURCE_BOMBS } from "../support/json-bombs.ts";
import { ask, ended, openWorkplace, startImport, type StokerRun, type Workplace } from "../support/stoker-run.ts";

/**
 * What a byte of input may cost (docs/architecture.md, "Memory"): a line of an import, or the body of a request, of so many bytes
 * makes the process grow by at most eight times as much, and 300 MB once.
 */
const PER_BYTE = 8;
const ONCE = 300e6;

/** Of one bomb: at 8 bytes for each, 40 MB, so that a structure that costs 70 bytes for each is found out. */
const BYTES = 5_000_000;

/** What is said of those that are refused for their size alone. Others are taken, or are no FHIR. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "levels of arrays": /more than 128 levels of objects and arrays: found 2500001/,
  "levels of objects": /more than 128 levels of objects and arrays: found/,
  "levels without an end": /more than 128 levels of objects and arrays: found 5000001/,
  "empty objects": /more than 2416\d+ values and names of members: found/,
  "empty arrays": /more than 2416\d+ values and names of members: found/,
  "one long number": /more than 65536 characters in a number: found 5000002/,
  "one long exponent": /more than 65536 characters in a number: found/,
  "given names": /too many search values/,
  "one long name": /Patient\.name\[0\]\.family: a text of 5000000 characters; 1048576 are allowed/,
  "letters that become eighteen": /a text of 1666666 characters; 1048576 are allowed/,
};

let place: Workplace;
let server: StokerRun;
let idle: number;

/** Of the server's process, in bytes. */
function memory(name: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${String(server.child.pid)}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) * 1024;
}

/** What an attack made the process grow by, beyond what it may, in megabytes: 0 is what is expected. */
async function excessOf(bytes: number, attack: () => Promise<void>): Promise<number> {
  // Makes the present the peak.
  writeFileSync(`/proc/${String(server.child.pid)}/clear_refs`, "5");
  const before = memory("VmRSS");
  await attack();
  return Math.max(0, Math.ceil((memory("VmHWM") - before - PER_BYTE * bytes - ONCE) / 1e6));
}

async function send(method: string, path: string, body: string, type = "application/fhir+json"): Promise<string> {
  const response = await fetch(`${server.base}/${path}`, { method, headers: { "content-type": type }, body });
  expect(response.status).toBeLessThan(500);
  return `${String(response.status)} ${(await response.text()).slice(0, 2000)}`;
}

beforeAll(async () => {
  place = await openWorkplace();
  server = await place.serve({ STOKER_WORKERS: "1", STOKER_LOG_LEVEL: "error" });
  idle = memory("VmRSS");
});

afterAll(async () => {
  await place?.close();
});

describe.skipIf(process.platform !== "linux")("memory for each byte of input", () => {
  test.each(Object.entries(RESOURCE_BOMBS))("a line of an import: %s", async (name, make) => {
    const text = make(BYTES);
    // The same file again would be the same import.
    const path = join(place.files, `${name.replaceAll(/\W/g, "-")}.ndjson`);
    await writeFile(path, `${text}\n{"resourceType":"Patient","id":"after"}\n`);
    let said = "";
    const excess = await excessOf(Buffer.byteLength(text), async () => {
      const answer = await ended(server, await startImport(server, [path]));
      expect(answer.status).toBe(200);
      expect((answer.body.stoker?.loaded ?? 0) + (answer.body.stoker?.rejected ?? 0)).toBe(2);
      const log = answer.body.error?.[0];
      if (log !== undefined) said = await (await fetch(log.url)).text();
    });
    expect(said).toMatch(REFUSED[name] ?? /^/);
    if (REFUSED[name] !== undefined) expect(said).toMatch(/at line: 1 /);
    expect(excess).toBe(0);
  });

  const bodies = ["levels of arrays", "levels without an end", "empty objects", "empty objects, as many as allowed"];
  bodies.push("members", "objects of different shapes", "numbers among objects", "one long number", "given names");
  bodies.push("one long name", "identifiers", "codings with texts", "references to one contained resource", "nulls");
  bodies.push("numbers with large exponents", "parts of Parameters", "entries of a Bundle", "nested extensions");
  test.each(bodies)("the body of an update: %s", async (name) => {
    const text = RESOURCE_BOMBS[name]?.(BYTES) ?? "";
    const type = /"resourceType":"(\w+)"/.exec(text)?.[1] ?? "";
    let said = "";
    const excess = await excessOf(Buffer.byteLength(text), async () => {
      said = await send("PUT", `${type}/bomb`, text);
    });
    expect(said).toMatch(REFUSED[name] ?? /^/);
    expect(excess).toBe(0);
  });

  const items = (item: string): string => Array.from({ length: BYTES / (item.length + 1) }, () => item).join(",");
  const FORM = "application/x-www-form-urlencoded";
  test.each<[string, string, string, string, string?]>([
    ["empty entries of a batch", "POST", "", `{"resourceType":"Bundle","type":"batch","entry":[${items("{}")}]}`],
    [
      "parameters of an import",
      "POST",
      "$import",
      `{"resourceType":"Parameters","parameter":[${items('{"name":"a"}')}]}`,
    ],
    [
      "parts of a validation",
      "POST",
      "Patient/$validate",
      `{"resourceType":"Parameters","parameter":[${items('{"name":"a"}')}]}`,
    ],
    ["levels of a validation", "POST", "Patient/$validate", "[".repeat(BYTES)],
    ["values with OR", "POST", "Patient/_search", `name=${items("ab")}`, FORM],
    ["tokens with OR", "POST", "Patient/_search", `identifier=${items("a|b")}`, FORM],
    ["ids", "POST", "Patient/_search", `_id=${items("abc")}`, FORM],
    ["parameters of a search", "POST", "Patient/_search", items("name=ab").replaceAll(",", "&"), FORM],
    ["a cursor", "POST", "Patient/_search", `_cursor=${"A".repeat(BYTES)}`, FORM],
    [
      "a cursor of levels",
      "POST",
      "Patient/_search",
      `_sort=birthdate&_cursor=${Buffer.from(`\u0004${"[".repeat(BYTES / 2)}`).toString("base64url")}`,
      FORM,
    ],
    ["operations of a JSON Patch", "PATCH", "Patient/wide", `[${items("{}")}]`, "application/json-patch+json"],
    [
      "a large value in a JSON Patch",
      "PATCH",
      "Patient/wide",
      `[{"op":"add","path":"/name","value":[${items("{}")}]}]`,
      "application/json-patch+json",
    ],
    [
      "a JSON Patch of a wide resource",
      "PATCH",
      "Patient/wide",
      '[{"op":"test","path":"/extension/9/url","value":"a"}]',
      "application/json-patch+json",
    ],
    [
      "a FHIRPath Patch of a wide resource",
      "PATCH",
      "Patient/wide",
      '{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.extension[9]"}]}]}',
    ],
    [
      "operations of a FHIRPath Patch",
      "PATCH",
      "Patient/wide",
      `{"resourceType":"Parameters","parameter":[${items('{"name":"operation"}')}]}`,
    ],
    [
      "a merge patch",
      "PATCH",
      "Patient/wide",
      `{"extension":[${items('{"url":"a"}')}]}`,
      "application/merge-patch+json",
    ],
    [
      "a batch of patches",
      "POST",
      "",
      `{"resourceType":"Bundle","type":"batch","entry":[${items('{"request":{"method":"PATCH","url":"Patient/wide"}}')}]}`,
    ],
  ])("%s", async (_, method, path, body, type) => {
    // The widest resource that can be stored.
    if (path === "Patient/wide")
      await send("PUT", path, `{"resourceType":"Patient","id":"wide","extension":[${items('{"url":"a"}')}]}`);
    const excess = await excessOf(Math.max(body.length, path === "Patient/wide" ? BYTES : 0), async () => {
      await send(method, path, body, type);
    });
    expect(excess).toBe(0);
  });

  test("afterwards the server still answers, and has given the memory back but for what both threads may keep", async () => {
    expect((await ask(server, "/Patient/after")).status).toBe(200);
    expect(memory("VmRSS") - idle).toBeLessThan(2 * ONCE);
  });
});

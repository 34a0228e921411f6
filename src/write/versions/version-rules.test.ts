import { describe, expect, it } from "vitest";
import {
  Origin,
  ruleVersions,
  type IncomingVersion,
  type RuleContext,
  type StoredResource,
  type RuledVersion,
} from "./version-rules.ts";

const NOW = Date.UTC(2026, 0, 1);
const year = (value: number): number => Date.UTC(value, 0, 1);

const context = (changes: Partial<RuleContext> = {}): RuleContext => ({
  mode: "IncrementalLoad",
  allowNegativeVersions: false,
  importJob: 7n,
  now: NOW,
  ...changes,
});

/** "v2@2002" and "@2002" as in the contract, "bare"; `!` marks a deleted line, `=x` the content. */
function line(text: string, place: number): IncomingVersion {
  const match = /^(?:bare|(?:v(-?\d+))?@(-?\d+))(!)?(?:=(\w+))?$/.exec(text);
  if (match === null) throw new Error(text);
  const [, versionId, date, deleted, content] = match;
  return {
    line: place,
    versionId: versionId === undefined ? undefined : Number(versionId),
    lastUpdated: date === undefined ? undefined : Number(date) < 3000 ? year(Number(date)) : Number(date),
    deleted: deleted !== undefined,
    contentHash: BigInt([...(content ?? String(place))].reduce((sum, letter) => sum * 131 + letter.charCodeAt(0), 7)),
  };
}

function stored(texts: string[], importJob = 1n, origin: number = Origin.versioned): StoredResource {
  const versions = texts.map((text, index): RuledVersion => {
    const parsed = line(text.includes("=") ? text : `${text}=s${index}`, 0);
    return {
      versionId: parsed.versionId ?? index + 1,
      lastUpdated: parsed.lastUpdated ?? NOW - 1000,
      deleted: parsed.deleted,
      contentHash: parsed.contentHash,
      importJob,
      origin,
    };
  });
  const current = versions
    .filter((version) => version.versionId > 0)
    .toSorted((a, b) => b.versionId - a.versionId)
    .at(0);
  return { current, others: versions.filter((version) => version !== current) };
}

function outcome(before: StoredResource, lines: string[], changes: Partial<RuleContext> = {}): string {
  const ruling = ruleVersions(before, lines.map(line), context(changes));
  const parts = [
    ...ruling.written.map(
      ({ line: place, versionId, lastUpdated }) =>
        `${place}:v${versionId}@${lastUpdated === NOW ? "now" : new Date(lastUpdated).getUTCFullYear()}${ruling.current?.line === place ? "*" : ""}`,
    ),
    ...ruling.unchanged.map((place) => `${place}:same`),
    ...ruling.duplicates.map((place) => `${place}:dup`),
    ...ruling.conflicts.map((place) => `${place}:conflict`),
  ];
  expect(parts).toHaveLength(lines.length);
  if (ruling.waitUntil !== undefined) parts.push("wait");
  return parts.toSorted((a, b) => Number.parseInt(a) - Number.parseInt(b)).join(" ");
}

const nothing: StoredResource = { current: undefined, others: [] };
const negative = { allowNegativeVersions: true };

describe("IncrementalLoad, what becomes of each line (* = current)", () => {
  it.each<[string, StoredResource, string[], string, Partial<RuleContext>?]>([
    ["C-001", nothing, ["bare"], "0:v1@now*"],
    ["C-040", nothing, ["v2@2021"], "0:v2@2021*"],
    ["C-048", nothing, ["v0@2021"], "0:conflict"],
    ["C-050", nothing, ["v2@2021=a", "v2@2021=a"], "0:v2@2021* 1:dup"],
    ["C-051", stored(["v2@2021=a"]), ["v2@2021=a"], "0:same"],
    ["C-053", stored(["v2@2021=a"]), ["v2@2021=b"], "0:conflict"],
    ["C-054", stored(["v2@2021=a"]), ["@2021=a"], "0:same"],
    ["C-055", stored(["v2@2021=a"]), ["v3@2021=a"], "0:conflict"],
    ["C-056", stored(["v2@2002"]), ["v1@2003", "v3@2003"], "0:dup 1:v3@2003*"],
    ["C-057 first", stored(["v2@2002"]), ["v1@2003"], "0:conflict"],
    ["C-057 second", stored(["v2@2002"]), ["v3@2003"], "0:v3@2003*"],
    ["C-058", stored(["v2@2002"]), ["v3@2001", "v3@2003"], "0:dup 1:v3@2003*"],
    ["C-059 (compared as numbers)", nothing, ["v9@2021", "v10@2021"], "0:dup 1:v10@2021*"],
    ["C-061", stored(["v1@2020"], 0n), ["v1@2021"], "0:conflict"],
    ["C-062", stored(["v2@2002"]), ["v2@2005"], "0:conflict"],
    ["C-063", nothing, ["v3@2003", "v1@2001", "v2@2002"], "0:v3@2003* 1:v1@2001 2:v2@2002"],
    ["C-064", stored(["v2@2002"]), ["v1@2001"], "0:v1@2001"],
    ["C-066", stored(["v2@2002=a"]), ["v1@2001", "v2@2002=a", "v3@2003"], "0:v1@2001 1:same 2:v3@2003*"],
    [
      "C-067",
      stored(["v10000@2000"]),
      ["v10100@2001", "v9000@1999", "v10300@2003"],
      "0:v10100@2001 1:v9000@1999 2:v10300@2003*",
    ],
    ["C-068", nothing, ["v3@2001", "v2@2004"], "0:conflict 1:v2@2004*", negative],
    ["C-069 later date", stored(["v3@2001"]), ["v2@2002"], "0:conflict", negative],
    ["C-069 earlier date", stored(["v3@2001"]), ["v4@2000"], "0:conflict", negative],
    ["C-070", stored(["v1@2001", "v5@2005"]), ["v3@2000"], "0:v3@2000"],
    ["C-071", stored(["v1@2001"]), ["v3@2003"], "0:v3@2003*"],
    [
      "C-072 (reference = last accepted)",
      nothing,
      ["v2@2004", "v5@2003", "v3@2002"],
      "0:v2@2004* 1:conflict 2:conflict",
    ],
    ["C-080", nothing, ["@2021"], "0:v1@2021*"],
    ["C-081", nothing, ["@2003", "@2001", "@2002"], "0:v3@2003* 1:v1@2001 2:v2@2002"],
    ["C-083", stored(["v1@2001", "v10@2004"]), ["@2002", "@2003"], "0:v8@2002 1:v9@2003"],
    ["C-084", nothing, ["v1@2001", "@2002", "v3@2003"], "0:v1@2001 1:v2@2002 2:v3@2003*"],
    ["C-085", nothing, ["v1@2001", "@2002", "v2@2003"], "0:v1@2001 1:v-1@2002 2:v2@2003*", negative],
    ["C-086", nothing, ["v1@2001", "@2002", "v2@2003"], "0:v1@2001 1:conflict 2:v2@2003*"],
    [
      "C-087",
      nothing,
      ["v1@2001", "@2002", "@2003", "v2@2004"],
      "0:v1@2001 1:v-2@2002 2:v-1@2003 3:v2@2004*",
      negative,
    ],
    [
      "C-088 (rank per gap)",
      stored(["v1@2001", "v3@2003", "v5@2005"]),
      ["@2004", "@2002"],
      "0:v4@2004 1:v2@2002",
      negative,
    ],
    ["C-089", stored(["v4@2020"]), ["@2022", "@2021"], "0:v6@2022* 1:v5@2021"],
    ["C-090", stored(["v1@2020=a"]), ["@2021=a"], "0:v2@2021*"],
    ["C-092", nothing, ["bare", "bare"], "0:v1@now* 1:dup"],
    ["C-093 over batches (D-02)", stored(["v1@2025"], 7n, Origin.bare), ["bare"], "0:dup"],
    ["C-094", stored(["v1@2020=a"]), ["bare=a"], "0:same"],
    ["C-095", stored(["v1@2020=a"]), ["bare=b"], "0:v2@now*"],
    ["C-096", nothing, ["bare=a", "@2025=a"], "0:same 1:v1@2025*"],
    ["C-097", nothing, ["bare=a", `@${NOW + 8000}=b`], "0:v2@now* 1:v1@2026 wait"],
    ["C-100", nothing, ["v-200@2025"], "0:conflict"],
    ["C-101", nothing, ["v-200@2023"], "0:v-200@2023", negative],
    ["C-102", stored(["v-200@2023"]), ["v-100@2021"], "0:v-100@2021", negative],
    ["C-104", stored(["v4@2024"]), ["v-100@2025"], "0:v-100@2025", negative],
    ["C-105", stored(["v-200@2023"]), ["bare"], "0:v1@now*"],
    ["C-111", nothing, ["v2@2002!", "v1@2001"], "0:v2@2002* 1:v1@2001"],
    ["C-113", nothing, ["@2001", "@2002!"], "0:v1@2001 1:v2@2002*"],
    ["C-115", nothing, ["bare!", "bare"], "0:v1@now* 1:dup"],
    ["C-117", stored(["v1@2020"], 0n), ["bare!"], "0:v2@now*"],
    ["C-118 (D-27)", stored(["v1@2020", "v2@2021!"]), ["bare!"], "0:same"],
    ["C-119 (D-27)", stored(["v1@2021=a"]), ["@2021!=a"], "0:conflict"],
    ["C-120 (D-27)", stored(["v1@2021!=a"]), ["bare=a"], "0:v2@now*"],
    ["D-03 same import", stored(["v1@2021=a"], 7n), ["@2021=b"], "0:dup"],
    ["D-04 same import", stored(["v2@2002"], 7n), ["v2@2005"], "0:dup"],
    ["greatest version", stored(["v2147483647@2020"]), ["@2021", "bare"], "0:conflict 1:conflict"],
  ])("%s", (_case, before, lines, expected, changes) => {
    expect(outcome(before, lines, changes)).toBe(expected);
  });
});

describe("InitialLoad", () => {
  const initial: Partial<RuleContext> = { mode: "InitialLoad" };
  it.each<[string, StoredResource, string[], string]>([
    ["C-130", nothing, ["v2@2021", "v2@2021"], "0:v1@now* 1:dup"],
    ["C-131", stored(["v1@2020=a"]), ["bare=a", "bare"], "0:dup 1:dup"],
    ["C-133", stored(["v2@2020!"]), ["bare"], "0:dup"],
  ])("%s", (_case, before, lines, expected) => {
    expect(outcome(before, lines, initial)).toBe(expected);
  });
});

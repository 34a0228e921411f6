import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runStoker } from "../src/cli/testing/spawn-stoker.ts";
import { readErrorLog, type Json } from "./support/full-server.ts";
import {
  codesOf,
  documentsOf,
  filledIn,
  readGuidePage,
  readMessage,
  sameForm,
  type Example,
} from "./support/guide-page.ts";
import { openGuideServer, type GuideAnswer, type GuideServer } from "./support/guide-server.ts";
import { contentOf, patientLine, readShorthand } from "./support/version-cases.ts";

/**
 * The examples of docs/import.md, carried out in the order of the page. What stands before a block or table as
 * `<!-- example: … -->` says what it is:
 *
 *     server                        a command line that starts the server; goes on to the next `##`
 *     file PATH[, N lines]          the content of a file
 *     blob URL, etag ETAG           the content of a blob
 *     request[, until it has ended | , while it runs]
 *     expect[, byte for byte]       the answer to the request before
 *     import URL[, ID][, InitialLoad]     imports the file; the block is the result
 *     versions[, allowNegativeVersions]   rows: stored before, lines of a file, rejected, history afterwards
 *     lines                         rows: a line, `loaded` or the issue code, the text
 *     texts                         rows: in the first cell that has any, texts of the server
 *     command, output               a command line and what it prints
 */

const markdown = readFileSync(new URL("../docs/import.md", import.meta.url), "utf8");
const page = readGuidePage(markdown);
const firstServer = page.sections.flatMap(({ examples }) => examples).find(({ does }) => does === "server")?.text ?? "";

let server: GuideServer;
let answer: GuideAnswer | undefined;
let printed = "";
let files = 0;
const started = Date.now();

beforeAll(async () => {
  server = await openGuideServer();
  await server.start(firstServer);
});
afterAll(() => server?.close());

test("every block of the page is an example or marked as an illustration", () => {
  expect(page.unmarked).toEqual([]);
});

test("links within the page lead somewhere", () => {
  const anchors = page.sections.map(({ title }) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  const links = [...markdown.matchAll(/\]\(#([^)]*)\)/g)].map((match) => match[1]);
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter((link) => !anchors.includes(link ?? ""))).toEqual([]);
});

for (const { title, level, examples } of page.sections) {
  if (examples.length === 0) continue;
  test(title, async () => {
    if (level === 2) await server.start(firstServer);
    for (const example of examples) {
      await carryOut(example).catch((error: unknown) => {
        throw new Error(`docs/import.md:${String(example.line)}: ${String(error)}`, { cause: error });
      });
    }
  });
}

async function carryOut(example: Example): Promise<void> {
  const { does, text } = example;
  const [word = "", first = "", ...more] = does.split(/,? /);
  const option = does.slice(does.indexOf(",") + 1).trim();
  switch (word) {
    case "server":
      return await server.start(text);
    case "file":
      return await server.writeFile(first, more.length === 0 ? `${text}\n` : repeated(text, Number(more[0])));
    case "blob":
      return await server.writeBlob(first, more[1] ?? "", `${text}\n`);
    case "request":
      answer = await request(text, option);
      return;
    case "expect":
      return expectAnswer(text, option === "byte for byte");
    case "import": {
      const mode = more.includes("InitialLoad") ? "InitialLoad" : "IncrementalLoad";
      const { id, body } = await server.load(first, { mode });
      const shownId = more.find((one) => /^\d+$/.test(one));
      if (shownId !== undefined) server.call(shownId, id);
      return compare(JSON.parse(server.inPageNames(body)), JSON.parse(text));
    }
    case "versions":
      return await tryVersions(example.rows, option === "allowNegativeVersions");
    case "lines":
      return await tryLines(example.rows);
    case "texts":
      return expectTexts(example.rows);
    case "command": {
      const { code, stdout, stderr } = await runStoker(text.split(" ").slice(1), { STOKER_BASE_URL: server.base });
      expect(code, stderr).toBe(0);
      printed = server.inPageNames(stdout);
      return;
    }
    case "output":
      return compare(JSON.parse(printed), JSON.parse(text));
    default:
      throw new Error(`nobody knows how to do "${does}"`);
  }
}

/** A file of `count` lines like this one, each with an id of its own. */
function repeated(line: string, count: number): string {
  return Array.from({ length: count }, (_, n) => `${line.replace('"id":"p1"', `"id":"p${String(n + 1)}"`)}\n`).join("");
}

async function request(text: string, until: string): Promise<GuideAnswer> {
  const { firstLine, headers, body } = readMessage(text);
  const [method = "", url = ""] = firstLine.split(" ");
  for (;;) {
    const answer = await server.send(method, url, headers, body === "" ? undefined : body);
    const isWaitedFor =
      (until === "until it has ended" && answer.status === 202) ||
      (until === "while it runs" && answer.status === 202 && answer.body === "");
    if (!isWaitedFor) return answer;
    await sleep(20);
  }
}

function expectAnswer(text: string, exact: boolean): void {
  if (answer === undefined) throw new Error("no request before");
  const { firstLine, headers, body } = readMessage(text);
  expect(`HTTP/1.1 ${String(answer.status)}`, answer.body).toBe(firstLine);
  for (const [name, shown] of Object.entries(headers)) {
    const actual = answer.headers.get(name) ?? "";
    if (name === "content-location") server.call(lastNumber(shown), lastNumber(actual));
    const renamed = server.inPageNames(actual);
    const isVolatile = name === "x-progress" || name === "retry-after";
    expect(isVolatile && sameForm(shown, renamed) ? shown : renamed, name).toBe(shown);
  }
  if (exact) return expect(answer.body).toBe(`${body}\n`);
  const shown = documentsOf(body);
  const actual = shown.length > 1 ? documentsOf(answer.body) : [answer.body];
  expect(shown.length === 0 ? 0 : actual.length).toBe(shown.length);
  for (const [index, document] of shown.entries()) compare(JSON.parse(actual[index] ?? ""), JSON.parse(document));
}

function lastNumber(url: string): string {
  return /\d+$/.exec(url)?.[0] ?? "";
}

function compare(actual: unknown, shown: unknown): void {
  expect(actual).toEqual(filledIn(shown, actual));
}

/** What the page says in a row's cells, after imports of all rows together: first what is stored before, then the files. */
async function tryVersions(rows: Example["rows"], negatives: boolean): Promise<void> {
  const table = ++files;
  const cases = rows.map(([stored, lines, rejected, history], row) => ({
    id: `guide-${String(table)}-${String(row + 1)}`,
    stored: codesOf(stored),
    lines: codesOf(lines),
    rejected: rejected ?? "",
    history: codesOf(history),
  }));
  const linesOf = (part: "stored" | "lines"): { id: string; line: number; text: string }[] =>
    cases.flatMap((one) =>
      one[part].map((text, n) => ({ id: one.id, line: n + 1, text: patientLine(one.id, readShorthand(text, 0)) })),
    );
  const stored = linesOf("stored");
  expect(
    await errorsOf(
      stored.map(({ text }) => text),
      negatives,
    ),
  ).toEqual([]);
  const written = linesOf("lines");
  const errors = await errorsOf(
    written.map(({ text }) => text),
    negatives,
  );
  for (const { id, rejected, history, lines } of cases) {
    const own = errors.filter((error) => written[error.line - 1]?.id === id);
    const what = `${lines.join(", ")} (${id})`;
    expect(own.map((error) => `${String(written[error.line - 1]?.line)} ${error.code}`).join(", "), what).toBe(
      rejected,
    );
    expect(await historyOf(id), what).toEqual(
      history.map((text) => {
        const { versionId, lastUpdated, content, deleted } = readShorthand(text, 0);
        return { versionId, lastUpdated, content: deleted ? "x" : content };
      }),
    );
  }
}

async function historyOf(id: string): Promise<unknown[]> {
  const answer = await server.send("GET", `${server.base}/Patient/${id}/_history`);
  if (answer.status === 404) return [];
  const history: Json = JSON.parse(answer.body);
  return history.entry.map(({ resource, request, response }: Json) => {
    const lastUpdated = Date.parse(response.lastModified);
    return {
      versionId: /^W\/"(-?\d+)"$/.exec(response.etag)?.[1],
      lastUpdated: lastUpdated >= started ? "server" : lastUpdated,
      content: request.method === "DELETE" ? "x" : contentOf(resource.birthDate),
    };
  });
}

/** Imports these lines and gives what the error log says. */
async function errorsOf(lines: readonly string[], negatives = false): Promise<ReturnType<typeof readErrorLog>> {
  const name = `lines-${String(++files)}.ndjson`;
  await server.writeFile(`/data/${name}`, lines.map((line) => `${line}\n`).join(""));
  const { body } = await server.load(`file:///data/${name}`, { negatives });
  const result: Json = JSON.parse(body);
  const url: string | undefined = result.error[0]?.url;
  return url === undefined ? [] : readErrorLog((await server.send("GET", url)).body);
}

async function tryLines(rows: Example["rows"]): Promise<void> {
  const errors = await errorsOf(rows.map(([line]) => codesOf(line)[0] ?? ""));
  for (const [index, [line, code, text]] of rows.entries()) {
    const error = errors.find((one) => one.line === index + 1);
    const actual = error === undefined ? { code: "loaded", text: "" } : { code: error.code, text: error.text };
    expect({ line, ...actual }).toEqual(filledIn({ line, code, text: codesOf(text)[0] ?? "" }, { line, ...actual }));
  }
}

/** Texts that are hard to bring about: they are at least in the source, apart from what `…` and numbers stand for. */
function expectTexts(rows: Example["rows"]): void {
  const folder = new URL("../src/", import.meta.url);
  const source = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => readFileSync(new URL(name, folder), "utf8").replaceAll(/"\s*\+\s*"/g, ""))
    .join("\n");
  const parts = rows
    .flatMap((row) => codesOf(row.find((cell) => codesOf(cell).length > 0)))
    .flatMap((text) => text.split(/…|\d{3,}/));
  expect(parts.filter((part) => !source.includes(part))).toEqual([]);
}

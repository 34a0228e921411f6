/** A block or table of a page that is carried out: `<!-- example: {does} -->` stands before it. */
export interface Example {
  /** `request`, `file /data/a.ndjson` ... */
  readonly does: string;
  /** Line of the page, from 1. */
  readonly line: number;
  /** What is in the fences; empty for a table. */
  readonly text: string;
  /** Cells of a table, without its head. */
  readonly rows: readonly (readonly string[])[];
}

/** What stands below a heading. */
export interface Section {
  readonly title: string;
  /** 2 for `##`. */
  readonly level: number;
  readonly examples: readonly Example[];
}

/** A page with what is to be carried out. */
export interface GuidePage {
  readonly sections: readonly Section[];
  /** Lines at which a fenced block begins that is marked neither as an example nor as an illustration. */
  readonly unmarked: readonly number[];
}

/** Reads a Markdown page. Throws when a marker is followed by neither a fenced block nor a table. */
export function readGuidePage(markdown: string): GuidePage {
  const lines = markdown.split("\n");
  const sections: { title: string; level: number; examples: Example[] }[] = [];
  const unmarked: number[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const heading = /^(#+) (.*)$/.exec(line);
    const marker = /^<!-- (example|illustration): (.*) -->$/.exec(line);
    if (heading !== null) {
      sections.push({ title: heading[2] ?? "", level: heading[1]?.length ?? 0, examples: [] });
    } else if (marker !== null) {
      const { text, rows, next } = readBlock(lines, at + 1);
      if (marker[1] === "example") {
        sections.at(-1)?.examples.push({ does: marker[2] ?? "", line: at + 1, text, rows });
      }
      at = next - 1;
    } else if (line.startsWith("```")) {
      unmarked.push(at + 1);
      at = readBlock(lines, at).next - 1;
    }
  }
  return { sections, unmarked };
}

function readBlock(lines: readonly string[], from: number): { text: string; rows: string[][]; next: number } {
  let next = from;
  if (lines[from]?.startsWith("```") === true) {
    for (next++; lines[next] !== undefined && lines[next] !== "```"; next++);
    return { text: lines.slice(from + 1, next).join("\n"), rows: [], next: next + 1 };
  }
  for (; lines[next]?.startsWith("|") === true; next++);
  if (next === from) throw new Error(`neither a block nor a table at line ${String(from + 1)}`);
  const rows = lines.slice(from + 2, next).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return { text: "", rows, next };
}

/** What stands between backticks in a cell. */
export function codesOf(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`([^`]*)`/g)].map((match) => match[1] ?? "");
}

/** An HTTP request or answer as the page shows it. */
export interface ShownMessage {
  readonly firstLine: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Reads an HTTP message. */
export function readMessage(text: string): ShownMessage {
  const [head = "", ...rest] = text.split("\n\n");
  const [firstLine = "", ...lines] = head.split("\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { firstLine, headers, body: rest.join("\n\n") };
}

/** The documents of JSON or of NDJSON that may be broken into lines: each begins in the first column. */
export function documentsOf(text: string): string[] {
  return text.trim() === "" ? [] : text.trimEnd().split(/\n(?=\{)/);
}

/** Members that are different each time: only their form is compared. */
const VOLATILE: ReadonlySet<string> = new Set(["transactionTime", "endTime", "seconds", "resourcesPerSecond"]);

/**
 * `shown` with everything that it leaves open taken from `actual`: what the page says is right if the result equals
 * `actual`. Open are `…` as a value or within a text, further members after a member named `…`, further items after an
 * item `…`, and the values of {@link VOLATILE} members.
 */
export function filledIn(shown: unknown, actual: unknown): unknown {
  if (shown === "…") return actual;
  if (typeof shown === "string") return typeof actual === "string" && fits(shown, actual) ? actual : shown;
  if (Array.isArray(shown)) {
    const items = Array.isArray(actual) ? (actual as unknown[]) : [];
    const open = shown.at(-1) === "…";
    const known = (open ? shown.slice(0, -1) : shown).map((item, index) => filledIn(item, items[index]));
    return open ? [...known, ...items.slice(known.length)] : known;
  }
  if (typeof shown !== "object" || shown === null) return shown;
  const members = typeof actual === "object" && actual !== null ? (actual as Record<string, unknown>) : {};
  const filled: Record<string, unknown> = "…" in shown ? { ...members } : {};
  for (const [name, value] of Object.entries(shown)) {
    if (name === "…") continue;
    filled[name] =
      VOLATILE.has(name) && sameForm(value, members[name]) ? members[name] : filledIn(value, members[name]);
  }
  return filled;
}

function fits(shown: string, actual: string): boolean {
  const parts = shown.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(actual);
}

/** Whether two values differ in the digits of numbers only. */
export function sameForm(shown: unknown, actual: unknown): boolean {
  if (typeof shown === "number") return typeof actual === "number";
  return typeof shown === "string" && typeof actual === "string" && form(shown) === form(actual);
}

function form(text: string): string {
  return text.replaceAll(/\d+/g, "0");
}

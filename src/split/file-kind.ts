/**
 * What a file is that is no NDJSON, told by its first bytes: one sentence about the file is worth more than one about each of
 * its "lines". Only what is certain is told; everything else is read line by line.
 */

/** Bytes of a file's head that {@link wrongKind} is to be given, as far as the file has them. */
export const HEAD_BYTES: number = 64 * 1024;

/** What a file is instead of NDJSON. */
export interface WrongKind {
  /** A sentence that says what the file is and what to do. */
  readonly text: string;
  /** Nothing of the import can go on: the bytes are no UTF-8. */
  readonly isEncoding: boolean;
}

/** What is wrong with a file that begins with `head`; undefined when it may be NDJSON. `isWhole`: the file has no more. */
export function wrongKind(head: Buffer, isWhole: boolean): WrongKind | undefined {
  const encoding = encodingOf(head);
  if (encoding !== undefined) {
    return { text: `Input file is encoded as ${encoding}; only UTF-8 is read.`, isEncoding: true };
  }
  const text = containerOf(head) ?? documentOf(withoutMark(head), isWhole);
  return text === undefined ? undefined : { text, isEncoding: false };
}

/** The sentence about a file whose only line is a Bundle that has no id, and cannot be stored as a Bundle. */
export const LONE_BUNDLE: string =
  "The file is one Bundle on one line, not NDJSON, and it has no id to be stored under: write each resource on its " +
  "own line (jq -c '.entry[].resource').";

/** UTF-16 and UTF-32, by byte order mark or by the zeros beside an ASCII character. */
function encodingOf(head: Buffer): string | undefined {
  const [a = -1, b = -1, c = -1, d = -1] = head;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? "UTF-32LE" : "UTF-16LE";
  if (a === 0xfe && b === 0xff) return "UTF-16BE";
  if (a === 0 && b === 0 && ((c === 0xfe && d === 0xff) || (c === 0 && isBracket(d)))) return "UTF-32BE";
  if (isBracket(a) && b === 0) return c === 0 && d === 0 ? "UTF-32LE" : "UTF-16LE";
  return a === 0 && isBracket(b) ? "UTF-16BE" : undefined;
}

function isBracket(byte: number): boolean {
  return byte === OPEN_BRACE || byte === OPEN_BRACKET;
}

/** Files that are known by a mark: where it stands, its bytes, and the sentence about them. */
const MARKS: readonly (readonly [at: number, mark: Buffer, text: string])[] = [
  [0, Buffer.from([0x1f, 0x8b]), compressed("gzip", "gunzip")],
  [0, Buffer.from([0x50, 0x4b, 3, 4]), compressed("zip", "unzip")],
  [0, Buffer.from([0x50, 0x4b, 5, 6]), "The file is an empty zip archive: it contains nothing to import."],
  [0, Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), compressed("zstd", "zstd -d")],
  [0, Buffer.from("BZh"), compressed("bzip2", "bunzip2")],
  [0, Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), compressed("xz", "xz -d")],
  [0, Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), compressed("7z", "7z x")],
  [0, Buffer.from([4, 0x22, 0x4d, 0x18]), compressed("lz4", "lz4 -d")],
  [257, Buffer.from("ustar"), "The file is a tar archive, not NDJSON: unpack it (tar -xf) and import the files in it."],
  [0, Buffer.from("PAR1"), converted("Parquet")],
  [0, Buffer.from([0x4f, 0x62, 0x6a, 1]), converted("Avro")],
  [0, Buffer.from("ORC"), converted("ORC")],
  [0, Buffer.from("SQLite format 3\0"), converted("a SQLite database")],
  [0, Buffer.from("%PDF-"), converted("PDF")],
];

function compressed(name: string, command: string): string {
  return `The file is compressed with ${name}: unpack it (${command}) and import what is in it.`;
}

function converted(name: string): string {
  return `The file is ${name}, not NDJSON: convert it to FHIR resources in JSON, one on each line.`;
}

function containerOf(head: Buffer): string | undefined {
  return MARKS.find(([at, mark]) => head.subarray(at, at + mark.length).equals(mark))?.[2];
}

function withoutMark(head: Buffer): Buffer {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head;
}

function documentOf(head: Buffer, isWhole: boolean): string | undefined {
  const start = skipSpace(head, 0);
  const first = head[start];
  if (first === undefined) return undefined;
  if (isBracket(first)) return jsonDocument(head, start, isWhole);
  if (first === LESS) return markupOf(head.toString("latin1", start, start + 1000));
  return isTable(head.toString("latin1"), isWhole)
    ? "The file is a table of text (CSV), not NDJSON: convert it to FHIR resources in JSON, one on each line."
    : undefined;
}

function markupOf(text: string): string | undefined {
  if (/^<(?:!doctype html|html)\b/i.test(text)) {
    return "The file is a web page (HTML), not NDJSON: perhaps the login page of a site; download it again.";
  }
  return /^<(?:\?xml|!--|[A-Za-z][\w:.-]*[\s/>])/.test(text)
    ? "The file is XML, not NDJSON: convert it to FHIR resources in JSON, one on each line."
    : undefined;
}

/**
 * A JSON value that goes on after its first line. When it ends within the head, nothing but values of this kind may follow:
 * one that stands on a line of its own shows that the file is NDJSON with some broken lines.
 */
function jsonDocument(head: Buffer, start: number, isWhole: boolean): string | undefined {
  let kind: string | undefined;
  let count = 0;
  for (let at = start; at < head.length; at = skipSpace(head, at)) {
    const value = readValue(head, at);
    if (value === undefined || !value.hasLines) return undefined;
    kind ??= kindOf(head, at, value.end ?? head.length);
    count++;
    if (value.end === undefined) {
      // The head ends in it: of a file that is no longer it would be a value that is cut off.
      if (isWhole) return undefined;
      break;
    }
    at = value.end;
  }
  return kind === undefined ? undefined : documentText(kind, count > 1);
}

function documentText(kind: string, isRow: boolean): string {
  if (kind === "[") {
    return "The file is a JSON array, not NDJSON: write each resource on its own line (jq -c '.[]').";
  }
  if (isRow) {
    return "The file has resources that span several lines, not NDJSON: write each on its own line (jq -c .).";
  }
  if (kind === "Bundle") {
    return (
      "The file is one Bundle over several lines, not NDJSON: write each resource on its own line " +
      "(jq -c '.entry[].resource')."
    );
  }
  const what = kind === "{" ? "JSON value" : `resource (${kind})`;
  return `The file is one ${what} over several lines, not NDJSON: write it on one line (jq -c .).`;
}

/** `[`, or the `resourceType` of an object, or `{` where it is not seen. */
function kindOf(head: Buffer, start: number, end: number): string {
  if (head[start] === OPEN_BRACKET) return "[";
  const text = head.toString("latin1", start, Math.min(end, start + 4096));
  return /"resourceType"\s*:\s*"([A-Za-z]{1,64})"/.exec(text)?.[1] ?? "{";
}

interface JsonValueFrame {
  /** Index after it; undefined when the head ends before it does. */
  readonly end: number | undefined;
  /** Whether a line end stands in it, outside of strings. */
  readonly hasLines: boolean;
}

/** The object or array that begins at `start`; undefined when it is no JSON as far as the head goes. */
function readValue(head: Buffer, start: number): JsonValueFrame | undefined {
  const open: number[] = [];
  let hasLines = false;
  /** What may come next. */
  let next: "value" | "first" | "name" | "colon" | "comma" = "value";
  let at = start;
  while (at < head.length) {
    const byte = head[at] as number;
    if (byte === LF) hasLines = true;
    if (isSpace(byte)) {
      at++;
      continue;
    }
    const inside = open.at(-1);
    if (next === "colon") {
      if (byte !== COLON) return undefined;
      next = "value";
      at++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if ((next !== "comma" && next !== "first") || inside !== (byte === CLOSE_BRACE ? OPEN_BRACE : OPEN_BRACKET)) {
        return undefined;
      }
      open.pop();
      at++;
      if (open.length === 0) return { end: at, hasLines };
      next = "comma";
    } else if (next === "comma") {
      if (byte !== COMMA) return undefined;
      next = inside === OPEN_BRACE ? "name" : "value";
      at++;
    } else if (next === "name" || (next === "first" && inside === OPEN_BRACE)) {
      if (byte !== QUOTE) return undefined;
      at = stringEnd(head, at);
      if (at < 0) return undefined;
      next = "colon";
    } else if (isBracket(byte)) {
      if (open.length === MOST_LEVELS) return undefined;
      open.push(byte);
      next = "first";
      at++;
    } else {
      at = byte === QUOTE ? stringEnd(head, at) : scalarEnd(head, at);
      if (at < 0) return undefined;
      next = "comma";
    }
  }
  return { end: undefined, hasLines };
}

/** Index after the string that begins at `start`, at most the head's length; -1 when a line ends in it. */
function stringEnd(head: Buffer, start: number): number {
  for (let at = start + 1; at < head.length; at++) {
    const byte = head[at] as number;
    if (byte === QUOTE) return at + 1;
    if (byte < 32) return -1;
    if (byte === BACKSLASH) at++;
  }
  return head.length;
}

/** Index after a number or a word; -1 when it is neither. */
function scalarEnd(head: Buffer, start: number): number {
  let at = start;
  while (at < head.length && /[\w.+-]/.test(String.fromCharCode(head[at] as number))) at++;
  const text = head.toString("latin1", start, at);
  return at === head.length || /^(?:-?\d[\d.eE+-]*|true|false|null)$/.test(text) ? (text === "" ? -1 : at) : -1;
}

/** The first ten lines have a separator, the same number of times, and none of them looks like JSON. */
function isTable(text: string, isWhole: boolean): boolean {
  const lines = text.split("\n");
  if (!isWhole) lines.pop();
  const shown = lines
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .slice(0, 10);
  if (shown.length < 2 || shown.some((line) => /^[[{]/.test(line))) return false;
  return [",", ";", "\t", "|"].some((separator) => {
    const counts = shown.map((line) => line.replaceAll(/"[^"]*"/g, "").split(separator).length - 1);
    return (counts[0] ?? 0) > 0 && counts.every((count) => count === counts[0]);
  });
}

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === LF || byte === 13;
}

function skipSpace(head: Buffer, from: number): number {
  let at = from;
  while (at < head.length && isSpace(head[at] as number)) at++;
  return at;
}

const LF = 10;
const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const LESS = 60;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const MOST_LEVELS = 1000;

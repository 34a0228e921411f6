import { array, assert, constantFrom, jsonValue, property, string } from "fast-check";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { HEAD_BYTES, wrongKind } from "./file-kind.ts";

function kindOf(content: string | Buffer): string | undefined {
  const bytes = Buffer.from(content);
  return wrongKind(bytes.subarray(0, HEAD_BYTES), bytes.length <= HEAD_BYTES)?.text;
}

const PATIENT = '{"resourceType":"Patient","id":"a","name":[{"family":"x, y; z"}]}';
const BUNDLE = { resourceType: "Bundle", type: "collection", entry: [{ resource: JSON.parse(PATIENT) }] };
const pretty = (value: unknown): string => JSON.stringify(value, undefined, 2);
const utf16 = Buffer.from(`${PATIENT}\n`, "utf16le");
const tar = Buffer.concat([Buffer.from("a.ndjson\0".padEnd(257, "0")), Buffer.from("ustar\0"), Buffer.alloc(300)]);

describe("files that are no NDJSON", () => {
  it.each<[string, string | Buffer, RegExp]>([
    ["gzip", gzipSync(PATIENT), /^The file is compressed with gzip: unpack it \(gunzip\) and import what is in it\.$/],
    ["zip", Buffer.from("PK\u0003\u0004rest", "latin1"), /compressed with zip: unpack it \(unzip\)/],
    ["an empty zip", Buffer.from("PK\u0005\u0006rest", "latin1"), /empty zip archive/],
    ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]), /compressed with zstd/],
    ["tar", tar, /tar archive/],
    ["Parquet", "PAR1\u0015", /^The file is Parquet, not NDJSON/],
    ["PDF", "%PDF-1.7\n", /PDF/],
    [
      "a Bundle over several lines",
      pretty(BUNDLE),
      /^The file is one Bundle over several lines, .* \(jq -c '\.entry\[\]\.resource'\)\.$/,
    ],
    [
      "… with a byte order mark and CRLF",
      `\ufeff\r\n${pretty(BUNDLE).replaceAll("\n", "\r\n")}\r\n`,
      /one Bundle over several lines/,
    ],
    [
      "… longer than the head",
      pretty({ ...BUNDLE, entry: Array(5000).fill(BUNDLE.entry[0]) }),
      /one Bundle over several lines/,
    ],
    ["a resource over several lines", pretty(JSON.parse(PATIENT)), /one resource \(Patient\) over several lines/],
    ["several of them", `${pretty(JSON.parse(PATIENT))}\n${pretty(BUNDLE)}`, /resources that span several lines/],
    ["another object", pretty({ a: 1 }), /one JSON value over several lines/],
    ["an array over several lines", pretty([JSON.parse(PATIENT)]), /JSON array, .* \(jq -c '\.\[\]'\)/],
    ["an array with a resource on each line", `[\n${PATIENT},\n${PATIENT}\n]\n`, /JSON array/],
    ["a table", "id,name\n1,Ada\n2,Grace\n", /\(CSV\)/],
    ["a table with semicolons and quotes", '"id";"a;b"\n1;"x;y"\n', /\(CSV\)/],
    ["a table with tabs", "id\tname\n1\tAda\n", /\(CSV\)/],
    ["a web page", "\n<!DOCTYPE html>\n<html>", /web page \(HTML\)/],
    ["XML", '<?xml version="1.0"?><Patient/>', /XML/],
    ["XML without a declaration", '<Bundle xmlns="http://hl7.org/fhir">', /XML/],
  ])("%s", (_, content, expected) => {
    expect(kindOf(content)).toMatch(expected);
  });

  it.each<[string, Buffer]>([
    ["UTF-16LE", Buffer.concat([Buffer.from([0xff, 0xfe]), utf16])],
    ["UTF-16LE", utf16],
    ["UTF-16BE", Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]).swap16()],
    ["UTF-16BE", Buffer.from(utf16).swap16()],
    ["UTF-32LE", Buffer.from([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0])],
    ["UTF-32LE", Buffer.from([0x7b, 0, 0, 0, 0x22, 0, 0, 0])],
    ["UTF-32BE", Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x7b])],
    ["UTF-32BE", Buffer.from([0, 0, 0, 0x7b])],
  ])("text in %s", (name, content) => {
    expect(wrongKind(content, true)).toEqual({
      text: `Input file is encoded as ${name}; only UTF-8 is read.`,
      isEncoding: true,
    });
  });
});

describe("what may be NDJSON is read line by line", () => {
  it.each([
    ["nothing", ""],
    ["blank lines", " \n\r\n\t"],
    ["lines", `${PATIENT}\n${PATIENT}\n`],
    ["a byte order mark", `\ufeff${PATIENT}\n`],
    ["one Bundle on a line (D-31)", JSON.stringify(BUNDLE)],
    ["a line without end", PATIENT],
    ["a line longer than the head", JSON.stringify({ ...BUNDLE, entry: Array(5000).fill(BUNDLE.entry[0]) })],
    ["an array on one line (C-019)", `[${PATIENT}]`],
    ["a first line that is cut off (C-008)", `{"resourceType":"Patient","id":"c008"\n${PATIENT}\n`],
    ["… after a comma", `{"resourceType":"Patient",\n${PATIENT}\n`],
    ["… at the end of the file", '{"resourceType":"Patient",\n"id":"c008"'],
    ["… within a string", `{"resourceType":"Pat\n${PATIENT}\n`],
    ["a resource over several lines before others", `${pretty(JSON.parse(PATIENT))}\n${PATIENT}\n`],
    ["no JSON (C-007)", `invalid-row\n${PATIENT}\n`],
    ["no JSON at all (C-025)", "oops\nagain\nand again\n"],
    ["text with commas, then lines", `a,b\nc,d\n${PATIENT}\n`],
    ["one line of text", "a,b,c"],
    ["two resources on a line (C-017)", `${PATIENT}${PATIENT}\n`],
    ["CR only (C-018)", `${PATIENT}\r${PATIENT}`],
  ])("%s", (_, content) => {
    expect(kindOf(content)).toBeUndefined();
  });

  it("any JSON value: over several lines it is told, on lines of their own it is not", () => {
    const objects = jsonValue().map((value) => ({ a: value, b: [value] }));
    assert(
      property(array(objects, { minLength: 1, maxLength: 3 }), (values) => {
        expect(kindOf(values.map((value) => JSON.stringify(value)).join("\n"))).toBeUndefined();
        expect(kindOf(values.map(pretty).join("\n"))).toBeDefined();
      }),
    );
  });

  it("says at most one sentence whatever the file is", () => {
    const piece = constantFrom("{", "}", "[", "]", '"', ":", ",", "\n", "\\", "1", "true", "<", "\u0000", "é");
    assert(
      property(string({ unit: piece, maxLength: 40 }), (text) => {
        expect((kindOf(text) ?? "").length).toBeLessThan(200);
      }),
    );
    expect(kindOf("[\n".repeat(100_000))).toBeUndefined();
  });
});

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorLog, openFullServer, type FullServer, type Json } from "../support/full-server.ts";

/** Whatever the lines and however the file is cut into units: every line is accounted for once, under its true number. */

let server: FullServer;
let run = 0;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

type Kind = "good" | "dated" | "json" | "element" | "id" | "blank";

const anyLine = fc.record({
  kind: fc.constantFrom<Kind[]>("good", "good", "good", "dated", "json", "element", "id", "blank"),
  end: fc.constantFrom("\n", "\r\n"),
  /** Characters of one to four bytes, so that unit borders fall into them. */
  text: fc.string({ unit: fc.constantFrom("a", "é", "€", "𝄞", " "), maxLength: 40 }),
});

function contentOf(kind: Kind, id: string, text: string): string {
  const name = [{ text: `x${text}` }];
  const contents: Record<Kind, string> = {
    good: JSON.stringify({ resourceType: "Patient", id, name }),
    dated: JSON.stringify({ resourceType: "Patient", id, meta: { lastUpdated: "2021-01-01T00:00:00Z" }, name }),
    json: `{"resourceType":"Patient","id":"${id}","${text}`,
    element: JSON.stringify({ resourceType: "Patient", id, shoeSize: text }),
    id: JSON.stringify({ resourceType: "Patient", id: `${id}_`, name }),
    blank: text.replaceAll(/[^ ]/gu, " "),
  };
  return contents[kind];
}

const anyImport = fc.oneof(
  // Tiny units make hundreds of units of few lines
  fc.record({ lines: fc.array(anyLine, { maxLength: 6 }), unitBytes: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ lines: fc.array(anyLine, { maxLength: 60 }), unitBytes: fc.integer({ min: 30, max: 1500 }) }),
  fc.record({ lines: fc.array(anyLine, { minLength: 1, maxLength: 400 }), unitBytes: fc.integer({ min: 5000 }) }),
);

test("4.2, D-05, D-06, R-030: good and bad lines, any unit size, LF and CRLF", async () => {
  await fc.assert(
    fc.asyncProperty(anyImport, fc.boolean(), fc.boolean(), async ({ lines, unitBytes }, mark, endless) => {
      const prefix = `run${String(run++)}`;
      let text = mark ? "\u{FEFF}" : "";
      const bad: { line: number; offset: number }[] = [];
      const good: string[] = [];
      for (const [index, { kind, end, text: value }] of lines.entries()) {
        const id = `${prefix}-${String(index).padStart(3, "0")}`;
        const content = contentOf(kind, id, value);
        if (kind === "good" || kind === "dated") good.push(`Patient/${id}`);
        // A mark belongs to no line
        else if (kind !== "blank") bad.push({ line: index + 1, offset: Buffer.byteLength(text) });
        text += content + (endless && index === lines.length - 1 ? "" : end);
      }
      const url = await server.file(`${prefix}.ndjson`, text);
      const outcome = await server.load({ inputs: [url], unitBytes });

      expect(outcome.status).toBe(200);
      expect(outcome.body.output).toEqual([{ type: null, count: good.length, inputUrl: url }]);
      expect(outcome.body.stoker).toMatchObject({
        bytes: Buffer.byteLength(text),
        loaded: good.length,
        created: good.length,
        rejected: bad.length,
      });
      const errors = await errorLog(outcome);
      expect(errors.map(({ line, offset }) => ({ line, offset }))).toEqual(bad);
      const rejected: Json = outcome.body.error[0];
      if (rejected !== undefined) {
        const sent = Buffer.from(text);
        const kept = (await (await fetch(rejected.rejectedUrl)).text()).split("\n").slice(0, -1);
        expect(kept).toHaveLength(bad.length);
        for (const [index, { offset }] of bad.entries()) {
          const end = sent.indexOf("\n", offset);
          const line = sent.toString("utf8", offset, end < 0 ? sent.length : end).replace(/\r$/, "");
          expect(kept[index]).toBe(line);
        }
      }
      const detailed = await server.json(`${outcome.location}?_details=true`);
      const units = Math.max(1, Math.ceil(Buffer.byteLength(text) / unitBytes));
      expect(detailed.output).toHaveLength(units);
      expect(detailed.output.reduce((sum: number, entry: Json) => sum + entry.count, 0)).toBe(good.length);
      const found = await server.search(`Patient?_sort=_lastUpdated`);
      expect(found.filter((one) => one.startsWith(`Patient/${prefix}-`))).toEqual(good);
    }),
    { numRuns: 25 },
  );
});

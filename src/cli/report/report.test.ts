import { describe, expect, test } from "vitest";
import { linesOf, readErrorLogLine } from "./error-log.ts";
import { reportLines, type ImportReport } from "./report.ts";
import { fileName, inputNames, reportRows, typeRows } from "./rows.ts";

const CLEAN: ImportReport = {
  rows: [
    { label: "Patient", loaded: 1000, rejected: 0 },
    { label: "Observation", loaded: 1_234_567, rejected: 0 },
  ],
  bytes: 1_250_000_000,
  seconds: 50,
  created: 1_235_000,
  updated: 500,
  unchanged: 67,
  deleted: 0,
  causes: [],
  otherLines: 0,
  logs: [],
};
const REJECTING: ImportReport = {
  ...CLEAN,
  rows: [{ label: "Patient", loaded: 9, rejected: 3 }],
  causes: [
    {
      text: 'Patient.gender: code "…" is not in the value set',
      count: 2,
      sample: {
        file: "Patient.ndjson",
        line: 17,
        byteOffset: 4711,
        element: "Patient.gender",
        code: "code-invalid",
        message: 'Patient.gender: code "robot" is not in the value set',
      },
    },
  ],
  otherLines: 1,
  logs: [
    {
      input: "Patient.ndjson",
      errorLog: "/data/imports/1/Patient1_1.ndjson",
      rejectedLines: "/data/imports/1/x-rejected.ndjson",
    },
  ],
};

describe("report", () => {
  test("everything loaded", () => {
    expect(reportLines(CLEAN, { width: 80, color: false })).toEqual([
      "                loaded   rejected",
      "Patient          1,000          0",
      "Observation  1,234,567          0",
      "─────────────────────────────────",
      "Total        1,235,567          0",
      "",
      "1,235,567 resources loaded (1.3 GB) in 50.0 s: 24,711 resources/s, 25.0 MB/s",
      "1,235,000 created, 500 updated, 67 unchanged",
    ]);
  });

  test("rejected lines: cause, count, sample, other causes, where the logs are", () => {
    const text = reportLines(REJECTING, { width: 120, color: false }).join("\n");
    expect(text).toContain("3 lines rejected, by cause:");
    expect(text).toContain('      2  Patient.gender: code "…" is not in the value set');
    expect(text).toContain('e.g. Patient.ndjson line 17, byte 4711: Patient.gender: code "robot" is not');
    expect(text).toContain("      1  with other causes");
    expect(text).toContain("  error log       /data/imports/1/Patient1_1.ndjson");
    expect(text).toContain("  rejected lines  /data/imports/1/x-rejected.ndjson");
    expect(
      text.endsWith(
        "import what you have corrected; nothing else needs to be sent again:\n  stoker import /data/imports/1/x-rejected.ndjson",
      ),
    ).toBe(true);
  });

  test("one line for an example, however long its text is", () => {
    const [cause] = REJECTING.causes;
    if (cause === undefined) throw new Error("no cause");
    const causes = [{ ...cause, sample: { ...cause.sample, message: "word ".repeat(200) } }];
    const before = reportLines(REJECTING, { width: 80, color: false });
    expect(reportLines({ ...REJECTING, causes }, { width: 80, color: false })).toHaveLength(before.length);
  });

  test("references to nothing, by form and target type", () => {
    const references = [
      { form: "conditional", targetType: "Practitioner", count: 1200 },
      { form: "urn", targetType: null, count: 34 },
      { form: "urn", targetType: "Patient", count: 1 },
    ];
    const lines = reportLines({ ...CLEAN, references }, { width: 80, color: false });
    expect(lines.slice(-4)).toEqual([
      "1,235 references that lead nowhere (kept as written), by form and target type:",
      "  1,200  Practitioner?…",
      "     34  urn:…",
      "      1  urn:… to Patient",
    ]);
  });

  test("how to send corrected lines: the command as a shell takes it; lines on a server are downloaded first", () => {
    expect(last("/my data/it's.ndjson")).toBe("  stoker import --type Patient '/my data/it'\\''s.ndjson'");
    expect(last("/d/1-rejected.ndjson", "/d/2-rejected.ndjson")).toBe(
      "  stoker import --type Patient /d/*-rejected.ndjson",
    );
    expect(last("http://127.0.0.1/fhir/x")).toBe("  stoker import --type Patient FILE");
  });

  test.each([40, 60, 80, 200])("no text is wider than %i columns, paths excepted", (width) => {
    for (const line of reportLines(REJECTING, { width, color: false })) {
      if (!line.includes("/data/")) expect(line.length).toBeLessThan(width);
    }
  });

  test("colours only when wanted", () => {
    expect(reportLines(REJECTING, { width: 80, color: false }).join("")).not.toContain("\u001B");
    expect(reportLines(REJECTING, { width: 80, color: true }).join("")).toContain("\u001B[31m");
  });
});

test("rows are by declared type, by the type in the file's name, else by file", () => {
  const count = { loaded: 1, rejected: 0 };
  const rows = reportRows([
    { type: "Patient", url: "file:///d/x.ndjson", ...count },
    { type: null, url: "file:///d/Patient-001.ndjson", ...count },
    { type: null, url: "https://a.example/c/1.Observation.ndjson", ...count },
    { type: null, url: "file:///d/sm%C3%A5.ndjson", ...count, rejected: 2 },
  ]);
  expect(rows).toEqual([
    { label: "Patient", loaded: 2, rejected: 0 },
    { label: "Observation", loaded: 1, rejected: 0 },
    { label: "små.ndjson", loaded: 1, rejected: 2 },
  ]);
});

test("rows are by type where the server counts by type", () => {
  const none = { created: 0, updated: 0, unchanged: 0, rejected: 0 };
  expect(
    typeRows([
      { ...none, type: "Patient", created: 3, updated: 2, unchanged: 1 },
      { ...none, type: null, rejected: 4 },
    ]),
  ).toEqual([
    { label: "Patient", loaded: 6, rejected: 0 },
    { label: "(type unknown)", loaded: 0, rejected: 4 },
  ]);
});

test("files of one name are told apart by their folders, and have rows of their own", () => {
  const urls = [
    "file:///d/a%20b/x.ndjson",
    "file:///d/c/x.ndjson",
    "file:///d/y.ndjson",
    "https://a.example/c/x.ndjson",
  ];
  expect([...inputNames(urls.slice(0, 3)).values()]).toEqual(["a b/x.ndjson", "c/x.ndjson", "y.ndjson"]);
  expect(new Set(inputNames(urls).values()).size).toBe(4);
  expect(reportRows(urls.map((url) => ({ type: null, url, loaded: 1, rejected: 0 })))).toHaveLength(4);
  expect([...inputNames(["file:///d/x.ndjson", "file:///d/x.ndjson"]).values()]).toEqual(["x.ndjson"]);
});

test("file names of URLs", () => {
  expect(fileName("https://a.example/c/x%20y.ndjson?sig=1")).toBe("x y.ndjson");
  expect(fileName("file:///d/100%.ndjson")).toBe("100%.ndjson");
});

describe("error log", () => {
  test("D-06: line, byte offset, element, code and text of an entry", () => {
    const issue = {
      extension: [{ url: "urn:stoker:import:byte-offset", valueDecimal: 58 }],
      severity: "error",
      code: "value",
      details: { text: "bad" },
      diagnostics: "Failed to process resource at line: 2 with stream start offset: 0",
      expression: ["Patient.id"],
    };
    const line = JSON.stringify({ resourceType: "OperationOutcome", issue: [issue] });
    expect(readErrorLogLine(line, "f")).toEqual({
      file: "f",
      line: 2,
      byteOffset: 58,
      element: "Patient.id",
      code: "value",
      message: "bad",
    });
  });

  test("what is no OperationOutcome is passed over", () => {
    expect(readErrorLogLine("<html>", "f")).toBeUndefined();
    expect(readErrorLogLine("null", "f")).toBeUndefined();
    expect(readErrorLogLine('{"issue":[]}', "f")).toBeUndefined();
  });

  test("lines are cut where the bytes are, whatever the chunks", async () => {
    const bytes = Buffer.from("ä\n\nbö\nlast");
    for (let size = 1; size <= bytes.length; size++) {
      const chunks = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      };
      const lines: string[] = [];
      for await (const line of linesOf(chunks())) lines.push(line);
      expect(lines).toEqual(["ä", "bö", "last"]);
    }
  });
});

/** The last line of a report on inputs with these copies of rejected lines. */
function last(...copies: string[]): string | undefined {
  const logs = copies.map((rejectedLines) => ({ input: "x", errorLog: "y", rejectedLines }));
  const report = { ...REJECTING, logs, again: "stoker import --type Patient" };
  return reportLines(report, { width: 120, color: false }).at(-1);
}

import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveInputs } from "./commands/import/inputs.ts";
import { runImportCommand } from "./commands/import/run-import.ts";
import { makeFolder, runStoker, startStoker, type StokerProcess } from "./testing/spawn-stoker.ts";

interface JsonReport {
  readonly id: string;
  readonly state: string;
  readonly loaded: number;
  readonly rejected: number;
  readonly created: number;
  readonly unchanged: number;
  readonly types: readonly { label: string; loaded: number; rejected: number }[];
  readonly causes: readonly { text: string; count: number }[];
  readonly logs: readonly { errorLog: string; rejectedLines: string }[];
}

let folder: string;
let samples: string;
let data: string;
let server: StokerProcess | undefined;

beforeAll(async () => {
  folder = makeFolder();
  samples = join(folder, "samples");
  data = join(folder, "data");
  const { code } = await runStoker(["generate", "--patients", "3", "--out", samples]);
  expect(code).toBe(0);
});

afterAll(async () => {
  server?.child.kill("SIGTERM");
  await server?.finished;
  rmSync(folder, { recursive: true, force: true });
});

async function importJson(...words: string[]): Promise<{ code: number | null; report: JsonReport; stderr: string }> {
  const { code, stdout, stderr } = await runStoker(["import", "--json", ...words]);
  expect(stdout, stderr).toMatch(/^\{.*\}\n$/);
  return { code, report: JSON.parse(stdout) as JsonReport, stderr };
}

function lineCount(): number {
  const text = readdirSync(samples).map((name) => readFileSync(join(samples, name), "utf8"));
  return text.join("").split("\n").length - 1;
}

describe("stoker import with a server of its own", () => {
  test("everything loaded: exit code 0; again: a new job, in which all is unchanged", async () => {
    const first = await importJson(samples, "--data-dir", data);
    expect(first).toMatchObject({
      code: 0,
      stderr: "",
      report: { state: "completed", rejected: 0, loaded: lineCount() },
    });
    expect(first.report.types.map((row) => row.label)).toContain("Patient");
    const second = await importJson(samples, "--data-dir", data);
    expect(second.report.id).not.toBe(first.report.id);
    expect(second.report).toMatchObject({ created: 0, unchanged: lineCount() });
  });

  test("rejected lines: exit code 1, causes, and copies of error log and lines that can be sent again", async () => {
    const file = join(folder, "Bad.ndjson");
    const bad =
      '{"resourceType":"Patient","id":"p1","gender":"robot"}\n{"resourceType":"Patient","id":"p2","gender":"droid"}\n';
    writeFileSync(file, `{"resourceType":"Patient","id":"good"}\n\n${bad}`);
    const { code, report } = await importJson(file, "--data-dir", data);
    expect(code).toBe(1);
    expect(report).toMatchObject({ loaded: 1, rejected: 2, causes: [{ count: 2 }] });
    const [log] = report.logs;
    expect(log?.errorLog.startsWith(join(data, "imports", report.id))).toBe(true);
    expect(readFileSync(log?.errorLog ?? "", "utf8")).toContain("at line: 3 ");
    expect(readFileSync(log?.rejectedLines ?? "", "utf8")).toBe(bad);

    const corrected = join(folder, "corrected.ndjson");
    writeFileSync(corrected, bad.replace("robot", "other").replace("droid", "unknown"));
    expect(await importJson(corrected, "--data-dir", data)).toMatchObject({
      code: 0,
      report: { loaded: 2, created: 2 },
    });
  });

  test("for people: a table, the rate, the causes; no colours in a pipe", async () => {
    const { code, stdout, stderr } = await runStoker([
      "import",
      join(folder, "Bad.ndjson"),
      "--type",
      "Patient",
      "--data-dir",
      data,
    ]);
    expect(stdout).toMatch(/^Patient +1 +2$/m);
    expect(stdout).toMatch(/\d lines\/s/);
    expect(stdout).toContain(
      `\nThe data is in ${data}. To search it, start a server:\n  stoker serve --data-dir ${data}\n`,
    );
    expect(stdout).toMatch(/2 lines rejected, by cause:/);
    expect(stdout).toMatch(/\n {2}stoker import --data-dir \S+ --type Patient \S+-rejected\.ndjson\n$/);
    expect(stdout + stderr).not.toContain("\u001B");
    expect(code).toBe(1);
  });

  test("a declared type that is not the lines' own", async () => {
    const patients = join(samples, "Patient.ndjson");
    const { code, report } = await importJson(patients, "--type", "Observation", "--data-dir", data);
    expect(code).toBe(1);
    expect(report).toMatchObject({ loaded: 0, rejected: 3, causes: [{ text: "Resource type not match.", count: 3 }] });
  });

  test("a failure that is not the server's is told in one line, without a log", async () => {
    const endpoint = "http://127.0.0.1:9/account";
    const account = `AccountName=account;AccountKey=eA==;BlobEndpoint=${endpoint}`;
    const words = ["import", `${endpoint}/input/x.ndjson`, "--data-dir", data];
    const { code, stderr } = await runStoker(words, { STOKER_AZURE_STORAGE_CONNECTION_STRING: account });
    expect(stderr).toMatch(
      /^(?:planning[^\n]*\n)*stoker: import operation failed for reason: [^\n]* refused [^\n]*\n$/,
    );
    expect(code).toBe(2);
  });

  test("a blob without an account: says how to name it", async () => {
    const blob = "https://account.blob.core.windows.net/c/x.ndjson";
    const { code, stderr } = await runStoker(["import", blob, "--data-dir", data]);
    expect(stderr).toMatch(
      /^stoker: No storage account is configured \(name the storage account .* STOKER_AZURE_STORAGE_CONNECTION_STRING\)\n$/,
    );
    expect(code).toBe(2);
  });

  test("InitialLoad needs no further setting", async () => {
    const { report } = await importJson(join(samples, "Patient.ndjson"), "--mode", "InitialLoad", "--data-dir", data);
    expect(report).toMatchObject({ loaded: 0, rejected: 3 });
  });
});

describe("stoker serve, and commands that drive it", () => {
  let baseUrl: string;

  test("one line when it is ready", async () => {
    server = startStoker(["serve", "--port", "0", "--data-dir", data, "--file-root", samples, "--log-level", "error"]);
    const line = await server.firstLine;
    expect(line).toMatch(/^Stoker ready at http:\/\/127\.0\.0\.1:\d+\/fhir$/);
    baseUrl = line.slice("Stoker ready at ".length);
    const answer = await fetch(`${baseUrl}/Patient?_summary=count`);
    expect(await answer.json()).toMatchObject({ resourceType: "Bundle" });
  });

  test("an empty store is told of, and where this user has others", async () => {
    const [state, empty] = [join(folder, "state"), join(folder, "empty")];
    mkdirSync(join(state, "stoker"), { recursive: true });
    const stores = [{ dataDir: data, lastUsed: new Date().toISOString() }];
    writeFileSync(join(state, "stoker", "stores.json"), JSON.stringify(stores));
    const process = startStoker(["serve", "--port", "0", "--data-dir", empty], { XDG_STATE_HOME: state });
    await process.firstLine;
    process.child.kill("SIGTERM");
    const { code, stderr } = await process.finished;
    const text = `The store in ${empty} is empty. Other stores of this user: ${data}. To serve one of them: stoker serve --data-dir ${data}`;
    expect(
      stderr
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    ).toContain(text);
    expect(code).toBe(0);
  });

  test("the data folder is taken: an import says how to go on", async () => {
    const { code, stderr } = await runStoker(["import", samples, "--data-dir", data]);
    expect(stderr).toMatch(/^stoker: STOKER_DATA_DIR: .* in use by another Stoker.*\n$/);
    expect(stderr).toContain(`, which answers at ${baseUrl})`);
    expect(stderr).toContain(`To import through it: stoker import … --server ${baseUrl}\n`);
    expect(code).toBe(2);
  });

  test("the port is taken: one line", async () => {
    const words = ["serve", "--port", new URL(baseUrl).port, "--data-dir", join(folder, "other")];
    const { code, stderr } = await runStoker(words);
    expect(stderr).toMatch(/^stoker: STOKER_PORT: 127\.0\.0\.1:\d+ is in use by another program; [^\n]+\n$/);
    expect(code).toBe(2);
    expect(existsSync(join(folder, "other"))).toBe(false);
  });

  test("import through the server; files outside its root are explained", async () => {
    appendFileSync(join(samples, "Patient.ndjson"), '{"resourceType":"Patient","id":"late"}\n');
    const { code, report } = await importJson(samples, "--server", `${baseUrl}/`);
    expect(code).toBe(0);
    expect(report).toMatchObject({ created: 1, unchanged: lineCount() - 1 });
    const named = await runStoker(["import", samples, "--json", "--server"], { STOKER_BASE_URL: baseUrl });
    expect(JSON.parse(named.stdout)).toMatchObject({ rejected: 0, unchanged: lineCount() });
    const outside = await runStoker(["import", join(folder, "Bad.ndjson"), "--server", baseUrl]);
    expect(outside.stderr).toMatch(/^stoker: The file is not below the folder of STOKER_FILE_ROOT.*--file-root/);
    expect(outside.code).toBe(2);
  });

  test("jobs lists imports, as text and as JSON with metering", async () => {
    const text = await runStoker(["jobs", "--server", baseUrl]);
    expect(text.stdout).toMatch(/^id +state +registered +inputs +loaded +rejected +size +time\n\d+ +completed /);
    const json = await runStoker(["jobs", "--json"], { STOKER_BASE_URL: baseUrl });
    const { imports } = JSON.parse(json.stdout) as {
      imports: { mode: string; loaded: number; metering: { resources: number } }[];
    };
    expect(imports.length).toBeGreaterThan(5);
    for (const job of imports) expect(job.metering.resources).toBe(job.mode === "InitialLoad" ? 0 : job.loaded);
  });

  test("jobs --all goes on to the oldest; a server is named by its FHIR base", async () => {
    const list = async (...words: string[]): Promise<string> =>
      (await runStoker(["jobs", "--json", "--server", baseUrl, ...words])).stdout;
    expect(await list("--all")).toBe(await list());
    const wrong = await runStoker(["jobs", "--server", new URL("/", baseUrl).href]);
    expect(wrong.stderr).toMatch(/--server takes the FHIR base of a server, such as/);
  });

  test("cancel: 404 and 409 are told in one line", async () => {
    const missing = await runStoker(["cancel", "1", "--server", baseUrl]);
    expect(missing).toMatchObject({ code: 2, stderr: 'stoker: The requested import job "1" was not found.\n' });
    const { stdout } = await runStoker(["jobs", "--json", "--server", baseUrl]);
    const [newest] = (JSON.parse(stdout) as { imports: [{ id: string }] }).imports;
    const completed = await runStoker(["cancel", newest.id, "--server", baseUrl]);
    expect(completed).toMatchObject({ code: 2, stderr: "stoker: Import operation has already completed\n" });
  });

  test("an import that is stopped is cancelled on the server", async () => {
    const end = await runImportCommand({
      server: { baseUrl, token: undefined },
      order: {
        inputs: resolveInputs([samples], folder).inputs.map(({ url }) => ({ url, type: undefined })),
        mode: "IncrementalLoad",
        allowNegativeVersions: false,
      },
      knownBytes: 0,
      display: undefined,
      logFolder: undefined,
      pollMs: 100,
      signal: AbortSignal.abort(),
    });
    expect(end.kind).toBe("cancelled");
    const answer = await fetch(`${baseUrl}/_operations/import/${end.id}`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("User requested cancellation of operation.");
  });

  test("SIGTERM stops it: exit code 0, nothing else on standard output", async () => {
    server?.child.kill("SIGTERM");
    const end = await server?.finished;
    expect(end).toMatchObject({ code: 0, stderr: "" });
    expect(end?.stdout).toBe(`Stoker ready at ${baseUrl}\n`);
    server = undefined;
  });
});

// Rate of writes over the API: `node bench/api-writes.ts <base> <folder of .ndjson files> [seconds] [clients]`.
// Creates one by one, updates one by one, and transactions of 500 creates, with resources taken from the files.
// The clients run in this process, so on a small machine they take their share of it.
import { readdirSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";

const [base = "http://127.0.0.1:8080/fhir", folder = "data", seconds = "10", clients = "8"] = process.argv.slice(2);
const SAMPLE_LINES = 20_000;
const BUNDLE_ENTRIES = 500;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

interface Sample {
  type: string;
  id: string;
  text: string;
}

/** Lines of all files in turn, as many of each as it has, up to a bound in all. */
function samples(): Sample[] {
  const lists = readdirSync(folder)
    .filter((name) => name.endsWith(".ndjson"))
    .map((name) => readFileSync(join(folder, name), "utf8").split("\n").filter(Boolean).slice(0, 3000));
  const found: Sample[] = [];
  for (let row = 0; found.length < SAMPLE_LINES && lists.some((lines) => row < lines.length); row++) {
    for (const lines of lists) {
      const text = lines[row];
      if (text === undefined) continue;
      const { resourceType, id } = JSON.parse(text) as { resourceType: string; id: string };
      found.push({ type: resourceType, id, text });
    }
  }
  return found;
}

function send(method: string, path: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/fhir+json",
      "content-length": String(Buffer.byteLength(body)),
      prefer: "return=minimal",
    };
    const sent = request(base + path, { method, agent, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function measure(
  name: string,
  workers: number,
  work: (turn: number) => Promise<{ status: number; resources: number }>,
): Promise<void> {
  const begun = performance.now();
  const end = begun + Number(seconds) * 1000;
  const times: number[] = [];
  const failures = new Map<number, number>();
  let resources = 0;
  let turn = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const started = performance.now();
      const { status, resources: written } = await work(turn++);
      times.push(performance.now() - started);
      if (status >= 200 && status < 300) resources += written;
      else failures.set(status, (failures.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: workers }, client));
  const elapsed = (performance.now() - begun) / 1000;
  times.sort((a, b) => a - b);
  const quantile = (share: number): string => `${(times[Math.floor(times.length * share)] ?? 0).toFixed(1)} ms`;
  const failed = [...failures].map(([status, count]) => `${count} × ${status}`).join(", ");
  console.log(
    name.padEnd(34),
    `${Math.round(resources / elapsed)} resources/s`.padStart(20),
    `p50 ${quantile(0.5)}, p99 ${quantile(0.99)}`,
    failed === "" ? "" : `FAILED ${failed}`,
  );
}

const all = samples();
const pick = (turn: number): Sample => all[turn % all.length] as Sample;

await measure(`create, ${clients} clients`, Number(clients), async (turn) => {
  const { type, text } = pick(turn);
  return { status: await send("POST", `/${type}`, text), resources: 1 };
});
await measure("create, 1 client", 1, async (turn) => {
  const { type, text } = pick(turn);
  return { status: await send("POST", `/${type}`, text), resources: 1 };
});
await measure(`update, ${clients} clients`, Number(clients), async (turn) => {
  const { type, id, text } = pick(turn % 2000);
  return { status: await send("PUT", `/${type}/${id}`, text), resources: 1 };
});
for (const workers of [1, 4]) {
  await measure(`transactions of ${BUNDLE_ENTRIES}, ${workers} clients`, workers, async (turn) => {
    const entries = Array.from({ length: BUNDLE_ENTRIES }, (_, index) => {
      const { type, id, text } = pick(turn * BUNDLE_ENTRIES + index);
      return `{"fullUrl":"urn:uuid:${id}","resource":${text},"request":{"method":"POST","url":"${type}"}}`;
    });
    const body = `{"resourceType":"Bundle","type":"transaction","entry":[${entries.join(",")}]}`;
    return { status: await send("POST", "", body), resources: BUNDLE_ENTRIES };
  });
}
agent.destroy();

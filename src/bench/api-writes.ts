import type { BenchInput } from "./input.ts";
import { readTimes, type ReadTimes } from "./reads.ts";
import { asClients, openRequests } from "./requests.ts";
import { sampleLines } from "./samples.ts";

/** A kind of write, measured with so many clients at once. */
export interface WriteTimes extends ReadTimes {
  readonly kind: "create" | "update" | "transaction";
  readonly clients: number;
  /** Resources in each request. */
  readonly resources: number;
  readonly resourcesPerSecond: number;
}

const BUNDLE_ENTRIES = 500;
const SECONDS = 10;
const RUNS: readonly Pick<WriteTimes, "kind" | "clients" | "resources">[] = [
  { kind: "create", clients: 1, resources: 1 },
  { kind: "create", clients: 8, resources: 1 },
  { kind: "update", clients: 8, resources: 1 },
  { kind: "transaction", clients: 1, resources: BUNDLE_ENTRIES },
  { kind: "transaction", clients: 8, resources: BUNDLE_ENTRIES },
];

interface Sample {
  readonly type: string;
  readonly id: string;
  readonly text: string;
}

/**
 * Writes resources of the data, all types in turn, ten seconds of each kind: creates and updates one by one, and transactions
 * of 500 creates. Throws when a request fails.
 */
export async function measureWrites(
  base: string,
  input: BenchInput,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<WriteTimes[]> {
  const samples = await collect(input, signal);
  const pick = (number: number): Sample => samples[number % samples.length] as Sample;
  const requests = openRequests(base, signal);
  const measured: WriteTimes[] = [];
  try {
    for (const { kind, clients, resources } of RUNS) {
      const times: number[] = [];
      const seconds = await asClients(clients, { turns: Infinity, seconds: SECONDS }, async (turn) => {
        const { method, path, body } = writeOf(kind, turn, pick);
        const { status, time } = await requests.send(method, path, body);
        if (status < 200 || status >= 300) throw new Error(`a ${kind} was answered with ${String(status)}`);
        times.push(time);
      });
      const resourcesPerSecond = (times.length * resources) / seconds;
      measured.push({ kind, clients, resources, resourcesPerSecond, ...readTimes(times) });
      say(`${kind}, ${String(clients)} clients: ${resourcesPerSecond.toFixed(0)} resources/s`);
    }
    return measured;
  } finally {
    requests.close();
  }
}

function writeOf(
  kind: WriteTimes["kind"],
  turn: number,
  pick: (number: number) => Sample,
): { method: "POST" | "PUT"; path: string; body: string } {
  const { type, id, text } = pick(turn);
  if (kind === "create") return { method: "POST", path: type, body: text };
  if (kind === "update") return { method: "PUT", path: `${type}/${id}`, body: text };
  const entries = Array.from({ length: BUNDLE_ENTRIES }, (_, index) => {
    const entry = pick(turn * BUNDLE_ENTRIES + index);
    return `{"fullUrl":"urn:uuid:${entry.id}","resource":${entry.text},"request":{"method":"POST","url":"${entry.type}"}}`;
  });
  const body = `{"resourceType":"Bundle","type":"transaction","entry":[${entries.join(",")}]}`;
  return { method: "POST", path: "", body };
}

/** Resources of all types in turn, from all over the first copy. */
async function collect(input: BenchInput, signal: AbortSignal): Promise<Sample[]> {
  const lists: Sample[][] = [];
  for (const { type } of input.files) {
    if (type === undefined) continue;
    const list: Sample[] = [];
    for await (const text of sampleLines(input, type, 1, signal)) {
      list.push({ type, id: (JSON.parse(text) as { id: string }).id, text });
    }
    lists.push(list);
  }
  const longest = Math.max(0, ...lists.map((list) => list.length));
  const samples = Array.from({ length: longest }, (_, row) => lists.flatMap((list) => list[row] ?? [])).flat();
  if (samples.length === 0) throw new Error("the file names do not tell the resource type");
  return samples;
}

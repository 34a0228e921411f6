import { parentPort, workerData } from "node:worker_threads";
import { inflateRawSync } from "node:zlib";
import type { Client } from "pg";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { exportFailureOf, isFinal } from "./failure.ts";
import { exportedLine } from "./line.ts";
import { openMembership } from "./membership.ts";
import { openFolder } from "./output-file.ts";
import { closeClient, joinSnapshot } from "./snapshot.ts";
import type { ThreadMessage, ThreadOrder, ThreadStart } from "./thread-messages.ts";
import { TypeFiles } from "./type-files.ts";
import { parseItems, unitRows, type UnitItem, type UnitRow } from "./unit-rows.ts";
import type { ExportUnit } from "./units.ts";

/**
 * A thread of an export: does units on a connection of its own, all on the same snapshot, and writes files of its own. It
 * ends with them, or with the first failure; whoever started it may end it at any moment.
 */

/** Deletions in one Bundle of the manifest's `deleted`. */
const DELETIONS_PER_BUNDLE = 100;

const port = parentPort;
if (port === null) throw new Error("export-thread.ts runs only as a thread");
const start = workerData as ThreadStart;
const orders: ThreadOrder[] = [];
let wake: (() => void) | undefined;
port.on("message", (order: ThreadOrder) => {
  orders.push(order);
  wake?.();
});

await run();
port.close();

async function run(): Promise<void> {
  let client: Client | undefined;
  let files: TypeFiles | undefined;
  let deletions: TypeFiles | undefined;
  try {
    client = await joinSnapshot(start.connection, start.snapshot);
    const folder = await openFolder(start.destination, start.container, start.folder);
    files = new TypeFiles(folder, "output", (type) => Atomics.add(start.numbers, resourceTypeId(type) ?? 0, 1) + 1);
    deletions = new TypeFiles(folder, "deleted", () => Atomics.add(start.numbers, 0, 1) + 1);
    for (;;) {
      tell({ kind: "ready" });
      const order = await nextOrder();
      if (order.kind === "finish") break;
      if (order.unit.kind === "deletions") await writeDeletions(client, order.unit, deletions);
      else await writeUnit(client, order.unit, files);
    }
    tell({ kind: "files", files: [...(await files.finish()), ...(await deletions.finish())] });
  } catch (error) {
    const failure = exportFailureOf(error);
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tell({ kind: "failed", failure, reason, isFinal: isFinal(failure) });
    await files?.abandon();
    await deletions?.abandon();
  } finally {
    if (client !== undefined) await closeClient(client);
  }
}

async function writeUnit(client: Client, unit: ExportUnit, files: TypeFiles): Promise<void> {
  const elements = elementsByType();
  const membership = openMembership(client, unit, start.definition, start.rules.baseUrl);
  for await (const rows of unitRows(client, unit, start.definition, start.rules)) {
    let resources = 0;
    for (const row of rows) {
      const block = openBlock(row);
      for (const item of parseItems(row.items)) {
        const body = bodyOf(block, item);
        if (membership !== undefined && !(await membership(item, body))) continue;
        files.add(item.type, exportedLine(body, item, elements(item.type)));
        resources++;
      }
      await files.drain();
    }
    tell({ kind: "progress", resources });
  }
}

/** Deletions as transactions of DELETE entries (Bulk Data Access 2.0, `deleted` of the manifest). */
async function writeDeletions(client: Client, unit: ExportUnit, files: TypeFiles): Promise<void> {
  for await (const rows of unitRows(client, unit, start.definition, start.rules)) {
    const items = rows.flatMap(({ items: texts }) => parseItems(texts));
    for (let at = 0; at < items.length; at += DELETIONS_PER_BUNDLE) {
      const some = items.slice(at, at + DELETIONS_PER_BUNDLE);
      const entry = some.map(({ type, id }) => ({ request: { method: "DELETE", url: `${type}/${id}` } }));
      const bundle = JSON.stringify({ resourceType: "Bundle", type: "transaction", entry });
      files.add("Bundle", Buffer.from(bundle), some.length);
    }
    await files.drain();
  }
}

function openBlock({ bytes, raw_length: length }: UnitRow): Buffer {
  if (bytes === null) return Buffer.alloc(0);
  return inflateRawSync(bytes, { maxOutputLength: Math.max(length ?? 0, 1) });
}

function bodyOf(block: Buffer, { offset, length }: UnitItem): Buffer {
  if (length > 0 && offset + length > block.length) throw new RangeError("a block is too short");
  return block.subarray(offset, offset + length);
}

/** The elements of a type that are asked for; undefined: all. */
function elementsByType(): (type: string) => readonly string[] | undefined {
  const known = new Map<string, readonly string[] | undefined>();
  return (type) => {
    if (!known.has(type)) {
      const names = start.definition.elements
        .filter((element) => element.type === undefined || element.type === type)
        .map(({ name }) => name);
      known.set(type, names.length === 0 ? undefined : names);
    }
    return known.get(type);
  };
}

async function nextOrder(): Promise<ThreadOrder> {
  for (;;) {
    const order = orders.shift();
    if (order !== undefined) return order;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    wake = undefined;
  }
}

function tell(message: ThreadMessage): void {
  port?.postMessage(message);
}

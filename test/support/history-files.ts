import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Files whose lines meet all version rules whose outcome does not depend on timing, and what is known of it. */
export interface HistoryFiles {
  /** Small files, a unit of one batch each, then the long ones, units of several batches. */
  readonly paths: readonly string[];
  readonly bytes: number;
  readonly loaded: number;
  readonly rejected: number;
  /** Resources, of which some end up deleted. */
  readonly created: number;
}

/** Above the length of every file: a file is a unit. */
export const HISTORY_UNIT_BYTES = 64_000_000;

const GROUP = 30;
const BIG_LINE_BYTES = 1_000_000;
const BIG_LINES = 20;
/** More than two batches of lines. */
const BROKEN_LINES = 20_000;

/**
 * Writes `small` (a multiple of 3) files of some 12 KB, with histories that are spread over three of them, wrong lines
 * and repeated ones, `big` files of 20 MB, which are units of three batches with a wrong line in each, and one with so
 * many wrong lines that its unit has three batches, too. With two big files the import is large enough for bulk segments.
 */
export async function writeHistoryFiles(
  folder: string,
  options: { small: number; big: number; brokenLines?: number },
): Promise<HistoryFiles> {
  const files: { name: string; lines: string[] }[] = [];
  let rejected = 0;
  const groups = options.small / 3;
  for (let part = 0; part < 3; part++) {
    for (let group = 0; group < groups; group++) {
      const lines: string[] = [];
      for (let index = 0; index < GROUP; index++) {
        const number = group * GROUP + index;
        lines.push(historyLine(number, part));
        if (index % 5 === 4) {
          // Once more at once: a duplicate, in the same batch.
          lines.push(historyLine(number, part));
          rejected++;
        }
      }
      lines.splice(7, 0, `{ broken ${String(part)}`, "");
      lines.push(
        JSON.stringify({ resourceType: "Patient", id: `wrong-${String(group)}-${String(part)}`, gender: "x" }),
      );
      rejected += 2;
      files.push({ name: `small-${String(part)}-${String(group)}.ndjson`, lines });
    }
  }
  for (let big = 0; big < options.big; big++) {
    const lines = Array.from({ length: BIG_LINES }, (_, index) => bigLine(`big-${String(big)}-${String(index)}`));
    for (const place of [18, 10, 2]) lines.splice(place, 0, "{ broken");
    rejected += 3;
    files.push({ name: `big-${String(big)}.ndjson`, lines });
  }
  const broken = options.brokenLines ?? BROKEN_LINES;
  if (broken > 0) {
    const lines = Array.from({ length: broken }, (_, index) => (index % 100 === 99 ? bareLine(index, "among") : "{"));
    rejected += broken - Math.floor(broken / 100);
    files.push({ name: "broken.ndjson", lines });
  }
  const paths: string[] = [];
  let bytes = 0;
  let all = 0;
  for (const { name, lines } of files) {
    const path = join(folder, name);
    const text = `${lines.join("\n")}\n`;
    await writeFile(path, text);
    bytes += Buffer.byteLength(text);
    all += lines.filter((line) => line !== "").length;
    paths.push(path);
  }
  const bareGroups = Math.floor(GROUP / 5) * 2 * groups;
  const created = groups * GROUP + 2 * bareGroups + options.big * BIG_LINES + Math.floor(broken / 100);
  return { paths, bytes, loaded: all - rejected, rejected, created };
}

/** The line of the resource `number` in the part 0, 1 or 2 of its history. */
function historyLine(number: number, part: number): string {
  const year = String(2001 + part);
  switch (number % 5) {
    case 0: {
      const isDeleted = part === 2 && number % 10 === 0;
      return resource(
        number,
        `v${String(number)}`,
        { versionId: String(part + 1), lastUpdated: `${year}-05-06T07:08:09.123Z` },
        part,
        isDeleted,
      );
    }
    case 1:
      return resource(number, `d${String(number)}`, { lastUpdated: `${year}-02-03T04:05:06+01:00` }, part);
    case 2: {
      // Versions 5 and 2, and in their gap a date whose number follows from both.
      const meta = [
        { versionId: "5", lastUpdated: "2005-01-01T00:00:00Z" },
        { versionId: "2", lastUpdated: "2002-01-01T00:00:00Z" },
        { lastUpdated: "2003-01-01T00:00:00Z" },
      ][part];
      return resource(number, `g${String(number)}`, meta, part);
    }
    default:
      return bareLine(number, `p${String(part)}`);
  }
}

function bareLine(number: number, prefix: string): string {
  return resource(number, `${prefix}-${String(number)}`, undefined, 0);
}

function resource(number: number, id: string, meta: object | undefined, part: number, isDeleted = false): string {
  const marker = {
    url: "http://azurehealthcareapis.com/data-extensions/deleted-state",
    valueString: "soft-deleted",
  };
  const said = isDeleted ? { ...meta, extension: [marker] } : meta;
  if (number % 2 === 0) {
    return JSON.stringify({
      resourceType: "Patient",
      id,
      ...(said === undefined ? {} : { meta: said }),
      name: [{ family: `Family${String(number % 97)}`, given: [`Given${String(part)}`, "Zoë"] }],
      gender: part === 1 ? "female" : "other",
      birthDate: `19${String(10 + (number % 90))}-0${String(part + 1)}-11`,
    });
  }
  return JSON.stringify({
    resourceType: "Observation",
    id,
    ...(said === undefined ? {} : { meta: said }),
    status: part === 2 ? "amended" : "final",
    code: {
      coding: [
        { system: "http://loinc.org", code: `c-${String(number % 13)}`, display: `Code ${String(number % 13)}` },
      ],
    },
    subject: { reference: `Patient/p0-${String(number - 1)}` },
    effectiveDateTime: `20${String(10 + (number % 10))}-0${String(part + 1)}-02T03:04:05Z`,
    valueQuantity: { value: number + part / 4, unit: "cm", system: "http://unitsofmeasure.org", code: "cm" },
  });
}

function bigLine(id: string): string {
  const text = `${id} lorem ipsum `.repeat(Math.ceil(BIG_LINE_BYTES / (id.length + 13)));
  return JSON.stringify({
    resourceType: "Basic",
    id,
    text: {
      status: "generated",
      div: `<div xmlns="http://www.w3.org/1999/xhtml">${text.slice(0, BIG_LINE_BYTES)}</div>`,
    },
    code: { text: id },
  });
}

import { formatCount } from "../terminal/format.ts";
import type { ReadTimes } from "./reads.ts";
import type { ApiTimes } from "./results.ts";
import { renderTable } from "./table.ts";

/** The API's part of the report: titles with their lines. */
export function apiSections(api: ApiTimes): string[][] {
  const store = `${formatCount(api.resources)} resources in ${String(api.partitions)} partitions`;
  return [
    [`Reads and searches by the API (${store})`, ...searchLines(api)],
    ["Writes by the API", ...writeLines(api)],
  ];
}

function searchLines({ pointRead, searches }: ApiTimes): string[] {
  const rows = [...new Set(searches.map(({ title }) => title))].map((title) => {
    const [one, many] = [1, 8].map((clients) =>
      searches.find((each) => each.title === title && each.clients === clients),
    );
    return [title, formatCount(one?.found ?? 0), ...times(one), ...times(many), many?.perSecond.toFixed(0) ?? ""];
  });
  const ceiling =
    pointRead === undefined ? [] : [["(row and body directly from PostgreSQL)", "1", ...times(pointRead)]];
  return renderTable(
    [
      { title: "", align: "left" },
      ...["found", "p50 ms", "p95 ms", "p50, 8 clients", "p95, 8 clients", "requests/s"].map((title) => ({
        title,
        align: "right" as const,
      })),
    ],
    [...ceiling, ...rows],
  );
}

function writeLines({ writes }: ApiTimes): string[] {
  return renderTable(
    [
      { title: "", align: "left" },
      ...["clients", "resources/s", "p50 ms", "p95 ms"].map((title) => ({ title, align: "right" as const })),
    ],
    writes.map((write) => [
      write.kind === "transaction" ? `transactions of ${String(write.resources)} creates` : write.kind,
      String(write.clients),
      formatCount(write.resourcesPerSecond),
      ...times(write),
    ]),
  );
}

function times(measured: ReadTimes | undefined): string[] {
  return measured === undefined ? ["", ""] : [measured.median.toFixed(1), measured.p95.toFixed(1)];
}

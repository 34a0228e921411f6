import { INTERACTIONS, MISSING, OPERATIONS, SEARCH_FEATURES } from "../metadata/capabilities.ts";
import { EXPORT_PARAMETERS } from "../metadata/export-parameters.ts";

type Tables = Readonly<Record<string, () => string[]>>;

/** The generated parts of docs/export.md. */
export const EXPORT_TABLES: Tables = {
  parameters: () =>
    table(
      ["parameter", "meaning"],
      EXPORT_PARAMETERS.map(({ names, text }) => [names.map((name) => `\`${name}\``).join(", "), text]),
    ),
};

/** The generated parts of docs/api.md, by the name in their `<!-- generated: name -->`. */
export const API_TABLES: Tables = {
  interactions: () =>
    table(
      ["interaction", "request", "answers"],
      [
        ...INTERACTIONS.map(({ name, request, answers }) => [name, request, answers]),
        ...OPERATIONS.map(({ name, request, answers }) => [`\`$${name}\``, request, answers]),
      ],
    ),
  search: () =>
    table(
      ["part", "supported"],
      SEARCH_FEATURES.map(({ feature, text }) => [feature, text]),
    ),
  missing: () =>
    table(
      ["missing", "why"],
      MISSING.map(({ feature, why }) => [feature, why]),
    ),
};

/** The page with the tables that {@link INTERACTIONS} and the others say. Throws when one has no place in it. */
export function withTables(page: string, tables: Tables): string {
  let text = page;
  for (const [name, rows] of Object.entries(tables)) {
    const begin = `<!-- generated: ${name} -->\n`;
    const from = text.indexOf(begin);
    const to = text.indexOf("<!-- end -->", from);
    if (from < 0 || to < 0) throw new Error(`the page has no place for the table ${name}`);
    text = `${text.slice(0, from + begin.length)}\n${rows().join("\n")}\n\n${text.slice(to)}`;
  }
  return text;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)];
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** A column of a text table. */
export interface Column {
  readonly title: string;
  /** Numbers stand right, texts left. */
  readonly align: "left" | "right";
}

/**
 * A text table: titles, a rule, rows; columns as wide as their widest cell and two spaces apart, no trailing spaces.
 * Every character is taken as one column wide, which is true of those that the reports use.
 * Cells beyond the columns are dropped, missing ones are empty.
 */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, index) =>
    rows.reduce((width, row) => Math.max(width, (row[index] ?? "").length), title.length),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, index) => pad(cells[index] ?? "", widths[index] ?? 0, align))
      .join("  ")
      .trimEnd();
  return [
    line(columns.map(({ title }) => title)),
    widths.map((width) => "─".repeat(width)).join("  "),
    ...rows.map(line),
  ];
}

function pad(text: string, width: number, align: Column["align"]): string {
  const space = " ".repeat(Math.max(0, width - text.length));
  return align === "left" ? text + space : space + text;
}

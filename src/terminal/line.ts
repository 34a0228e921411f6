import { fit, formatBytes, formatClock, formatCount } from "./format.ts";
import type { ProgressView } from "./view.ts";

/** How a line may look. */
export interface LineStyle {
  /** Columns of the terminal. */
  readonly width: number;
  readonly color: boolean;
}

const BAR = { full: "━", rest: "─" };
const GREEN = "\u001B[32m";
const RED = "\u001B[31m";
const DIM = "\u001B[2m";
const RESET = "\u001B[0m";

/** Greatest and least length of the bar; between them a fifth of the line is its own. */
const LONGEST_BAR = 32;
const SHORTEST_BAR = 8;

/**
 * The progress as one terminal line, never wider than `width - 1` columns: phase, bar, percent, then as many facts as
 * there is room for, the most wanted ones first.
 */
export function progressLine(view: ProgressView, style: LineStyle): string {
  const room = Math.max(10, style.width - 1);
  const phase = view.phase.padEnd(9);
  const percent = `${(Math.floor(view.share * 1000) / 10).toFixed(1).padStart(5)} %`;
  const ownBar = Math.min(LONGEST_BAR, Math.max(SHORTEST_BAR, Math.floor(room / 5)));
  const facts = keepFitting(facetsOf(view), room - phase.length - percent.length - ownBar - 2);
  const factsWidth = facts.reduce((sum, fact) => sum + fact.length + 2, 0);
  const barRoom = room - phase.length - percent.length - 2 - factsWidth;
  const bar = Math.min(LONGEST_BAR, barRoom);
  if (bar < SHORTEST_BAR) return fit(`${phase.trimEnd()} ${percent.trimStart()}`, room);
  const full = Math.floor(view.share * bar);
  const drawn = style.color
    ? `${GREEN}${BAR.full.repeat(full)}${RESET}${DIM}${BAR.rest.repeat(bar - full)}${RESET}`
    : BAR.full.repeat(full) + BAR.rest.repeat(bar - full);
  const shown = facts.map((fact) => (style.color && fact.endsWith("rejected") ? `${RED}${fact}${RESET}` : fact));
  return [`${phase} ${drawn} ${percent}`, ...shown].join("  ");
}

/** The progress as a line of a log. */
export function progressText(view: ProgressView): string {
  if (view.phase === "planning") return `planning (${formatClock(view.elapsed)})`;
  return [`${view.phase} ${(view.share * 100).toFixed(1)} %`, ...facetsOf(view)].join(", ");
}

/** What there is to say, the most wanted first. */
function facetsOf(view: ProgressView): string[] {
  const facts: string[] = [];
  if (view.resourceRate !== undefined) facts.push(`${formatCount(view.resourceRate)} resources/s`);
  if (view.remaining !== undefined) facts.push(`ETA ${formatClock(view.remaining)}`);
  if (view.byteRate !== undefined) facts.push(`${formatBytes(view.byteRate)}/s`);
  if (view.loaded > 0) facts.push(`${formatCount(view.loaded)} loaded`);
  if (view.rejected > 0) facts.push(`${formatCount(view.rejected)} rejected`);
  facts.push(`elapsed ${formatClock(view.elapsed)}`);
  return facts;
}

function keepFitting(facts: readonly string[], room: number): string[] {
  const kept: string[] = [];
  let left = room;
  for (const fact of facts) {
    if (fact.length + 2 > left) continue;
    kept.push(fact);
    left -= fact.length + 2;
  }
  return kept;
}

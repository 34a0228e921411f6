/**
 * Short notation of versions, in lines to import and in histories that are expected:
 *
 *     v2@2021 a       version 2 of 1 January 2021 with content a
 *     @2021+1s b      without version, one second later, with content b
 *     bare a          neither version nor date
 *     v7 a            a version without date
 *     v1@server a x   the server's own date; x: deleted
 *     @now-2d a       relative to the time at which the case began
 */
export interface Shorthand {
  readonly versionId: string | undefined;
  /** Milliseconds since 1970; "server" in histories only. */
  readonly lastUpdated: number | "server" | undefined;
  /** A letter. */
  readonly content: string;
  readonly deleted: boolean;
}

const NOTATION = /^(?:bare|v(-?\w+))?(?:@(server|now|\d{4})(?:([+-]\d+)([sdy]))?)? ([a-z])( x)?$/;
const UNIT = { s: 1000, d: 86_400_000, y: 365 * 86_400_000 } as const;
const MARKER = "http://azurehealthcareapis.com/data-extensions/deleted-state";

/** Reads the notation. */
export function readShorthand(text: string, now: number): Shorthand {
  const match = NOTATION.exec(text);
  if (match === null) throw new Error(`no version notation: ${text}`);
  const [, versionId, base, steps, unit, content = "", deleted] = match;
  return { versionId, lastUpdated: dateOf(base, steps, unit, now), content, deleted: deleted !== undefined };
}

function dateOf(base: string | undefined, steps = "0", unit = "s", now = 0): number | "server" | undefined {
  if (base === undefined || base === "server") return base;
  return (base === "now" ? now : Date.UTC(Number(base), 0, 1)) + Number(steps) * UNIT[unit as keyof typeof UNIT];
}

/** The Patient of a shorthand as a line, without its end. */
export function patientLine(id: string, { versionId, lastUpdated, content, deleted }: Shorthand): string {
  const meta = {
    ...(versionId === undefined ? {} : { versionId }),
    ...(typeof lastUpdated === "number" ? { lastUpdated: new Date(lastUpdated).toISOString() } : {}),
    ...(deleted ? { extension: [{ url: MARKER, valueString: "soft-deleted" }] } : {}),
  };
  return JSON.stringify({
    resourceType: "Patient",
    id,
    ...(Object.keys(meta).length === 0 ? {} : { meta }),
    birthDate: birthDate(content),
  });
}

/** What a content letter stands for. */
export function birthDate(content: string): string {
  return `1961-01-${String(content.charCodeAt(0) - 96).padStart(2, "0")}`;
}

/** The letter of a birth date. */
export function contentOf(date: string): string {
  return String.fromCharCode(96 + Number(date.slice(-2)));
}

/**
 * One step of a case, and the history afterwards: an import with its lines, and which of them (from 1) are refused and why;
 * or, where the contract says "by PUT" or "by API DELETE", a write through the API.
 */
export interface VersionStep {
  readonly lines?: readonly string[];
  /** A content letter to PUT, or "delete". */
  readonly api?: string;
  readonly dup?: readonly number[];
  readonly conflict?: readonly number[];
  readonly history: readonly string[];
}

/** One row of the contract: imports of one Patient, one after the other. */
export interface VersionCase {
  readonly row: string;
  readonly title: string;
  /** Several runs of a row, with lines in another order: their ids differ by this. */
  readonly variant?: string;
  readonly mode?: "InitialLoad" | "IncrementalLoad";
  readonly negatives?: boolean;
  /** Imported with a declared type. */
  readonly declared?: boolean;
  readonly steps: readonly VersionStep[];
}

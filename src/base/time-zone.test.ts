import { assert, constantFrom, integer, property } from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { dateRangeOf } from "../fhir/date-range.ts";
import { installTimeZone, openTimeZone, timeZoneName, UTC } from "./time-zone.ts";

const ZONES = [
  "Europe/Berlin",
  "America/New_York",
  "America/Sao_Paulo",
  "America/St_Johns",
  "Asia/Kolkata",
  "Asia/Beirut",
  "Africa/Casablanca",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Pacific/Chatham",
];

afterAll(() => installTimeZone(UTC));

function formatsOf(options: Intl.DateTimeFormatOptions): ReadonlyMap<string, Intl.DateTimeFormat> {
  return new Map(ZONES.map((name) => [name, new Intl.DateTimeFormat("sv-SE", { timeZone: name, ...options })]));
}

/** Two days that are not in the calendar, and zones in which a day begins twice, are not what the properties are about. */
function isOdd(zone: string, day: number): boolean {
  return (zone === "Pacific/Apia" && [15_337, 15_338].includes(day)) || zone === "America/St_Johns";
}

function ticksOf(iso: string): bigint {
  return BigInt(Date.parse(iso)) * 10_000n;
}

describe("timeZoneName", () => {
  it.each([
    ["Europe/Berlin", "Europe/Berlin"],
    ["europe/berlin", "Europe/Berlin"],
    ["UTC", "UTC"],
    ["Etc/UTC", "UTC"],
    ["America/Argentina/Buenos_Aires", expect.stringMatching(/Buenos_Aires$/) as string],
    ["Middle/Earth", undefined],
    ["+01:00", undefined],
    ["", undefined],
    [" UTC", undefined],
    ["Europe/Berlin\n", undefined],
  ])("of %j is %s", (text, name) => {
    expect(timeZoneName(text)).toEqual(name);
  });
});

describe("dates without a zone are those of the installed one (D-29)", () => {
  it.each([
    ["UTC", "2024-03-31", "2024-03-31T00:00:00Z", "2024-04-01T00:00:00Z"],
    ["Europe/Berlin", "2024", "2023-12-31T23:00:00Z", "2024-12-31T23:00:00Z"],
    ["Europe/Berlin", "2024-07", "2024-06-30T22:00:00Z", "2024-07-31T22:00:00Z"],
    // Days of 23 and 25 hours.
    ["Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"],
    ["Europe/Berlin", "2024-10-27", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"],
    ["America/New_York", "2024-07-04", "2024-07-04T04:00:00Z", "2024-07-05T04:00:00Z"],
    // Clocks go forward at midnight: the day begins at one o'clock.
    ["America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
    ["America/Sao_Paulo", "2018-11-03", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"],
    // The next 400 years, and before there were zones.
    ["Europe/Berlin", "2824-07-01", "2824-06-30T22:00:00Z", "2824-07-01T22:00:00Z"],
    ["Europe/Berlin", "9999", "9998-12-31T23:00:00Z", "9999-12-31T23:00:00Z"],
    ["Europe/Berlin", "1700-01-01", "1699-12-31T23:06:32Z", "1700-01-01T23:06:32Z"],
    // What says its zone is in that.
    ["Europe/Berlin", "2024-07-01T10:00:00Z", "2024-07-01T10:00:00Z", "2024-07-01T10:00:01Z"],
    ["Europe/Berlin", "2024-07-01T10:00:00+05:30", "2024-07-01T04:30:00Z", "2024-07-01T04:30:01Z"],
    ["Europe/Berlin", "2024-07-01T10:00", "2024-07-01T08:00:00Z", "2024-07-01T08:01:00Z"],
    // Two hours come twice, the first is meant; one is left out.
    ["Europe/Berlin", "2024-10-27T02:30", "2024-10-27T00:30:00Z", "2024-10-27T00:31:00Z"],
    ["Europe/Berlin", "2024-03-31T02:30", "2024-03-31T01:00:00Z", "2024-03-31T01:01:00Z"],
    ["Europe/Berlin", "2024-03-31T03:30", "2024-03-31T01:30:00Z", "2024-03-31T01:31:00Z"],
    // A day that Samoa left out is one second.
    ["Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:01Z"],
  ])("in %s, %s is from %s to %s", (zone, text, from, to) => {
    installTimeZone(zone);
    expect(dateRangeOf(text)).toEqual({ low: ticksOf(from), high: ticksOf(to) - 1n });
  });

  it("days follow one another, and begin when the calendar of the zone turns", () => {
    const zones = new Map(ZONES.map((name) => [name, openTimeZone(name)]));
    const formats = formatsOf({});
    assert(
      property(constantFrom(...ZONES), integer({ min: -25_000, max: 60_000 }), (name, day) => {
        const zone = zones.get(name);
        const start = zone?.startOfDay(day) ?? 0;
        const end = zone?.startOfDay(day + 1) ?? 0;
        if (!isOdd(name, day)) expect(end - start).toBeGreaterThanOrEqual(22 * 3600);
        expect(end - start).toBeLessThanOrEqual(26 * 3600);
        if (isOdd(name, day)) return;
        const format = formats.get(name) ?? new Intl.DateTimeFormat();
        const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
        expect(format.format(start * 1000)).toBe(date);
        expect(format.format(end * 1000 - 1)).toBe(date);
        expect(format.format(start * 1000 - 1)).not.toBe(date);
      }),
      { numRuns: 1000 },
    );
  });

  it("a time of a day is what a clock of the zone shows", () => {
    const zones = new Map(ZONES.map((name) => [name, openTimeZone(name)]));
    const formats = formatsOf({ dateStyle: "short", timeStyle: "medium" });
    assert(
      property(constantFrom(...ZONES), integer({ min: -2_000_000_000, max: 5_000_000_000 }), (name, instant) => {
        const format = formats.get(name) ?? new Intl.DateTimeFormat();
        const local = Date.parse(`${format.format(instant * 1000).replace(" ", "T")}Z`) / 1000;
        const found = zones.get(name)?.instantOf(local) ?? 0;
        // Of two instants that a clock shows alike the first is meant.
        expect(format.format(found * 1000)).toBe(format.format(instant * 1000));
        expect(found).toBeLessThanOrEqual(instant);
      }),
      { numRuns: 1000 },
    );
  });
});

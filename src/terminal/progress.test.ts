import { assert, boolean, constantFrom, double, integer, nat, option, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { createDisplay } from "./display.ts";
import { progressLine, progressText } from "./line.ts";
import { createTrack, follow, type ProgressView, type ProgressState } from "./view.ts";

const VIEW: ProgressView = {
  phase: "loading",
  share: 0.624,
  loaded: 118_003,
  rejected: 12,
  resourceRate: 24_310,
  byteRate: 31_200_000,
  remaining: 4,
  elapsed: 7,
};

function snapshot(seconds: number, bytes: number, phase: ProgressState["phase"] = "loading"): ProgressState {
  return { time: seconds * 1000, phase, bytes, totalBytes: 1000, loaded: bytes / 10, rejected: 0 };
}

describe("rates", () => {
  test("nothing is claimed before there is anything to measure", () => {
    const track = createTrack(0);
    expect(follow(track, snapshot(0, 0, "planning"))).toMatchObject({ resourceRate: undefined, remaining: undefined });
    expect(follow(track, snapshot(1, 0))).toMatchObject({ byteRate: undefined, share: 0, elapsed: 1 });
  });

  test("rate and remaining time over the last seconds, planning not counted", () => {
    const track = createTrack(0);
    follow(track, snapshot(0, 0, "planning"));
    follow(track, snapshot(10, 0));
    expect(follow(track, snapshot(12, 200))).toMatchObject({
      byteRate: 100,
      resourceRate: 10,
      remaining: 8,
      share: 0.2,
      elapsed: 12,
    });
  });

  test("old times are forgotten", () => {
    const track = createTrack(0);
    for (let second = 0; second <= 20; second++) follow(track, snapshot(second, second * 10));
    const view = follow(track, snapshot(30, 700));
    expect(view.byteRate).toBeCloseTo(50, 0);
    expect(track.recent.length).toBeLessThan(20);
  });

  test("there is no remaining time while finishing", () => {
    const track = createTrack(0);
    follow(track, snapshot(0, 0));
    expect(follow(track, snapshot(5, 1000, "finishing"))).toMatchObject({ share: 1, remaining: undefined });
  });
});

describe("progress line", () => {
  test("wide", () => {
    expect(progressLine(VIEW, { width: 140, color: false })).toBe(
      "loading   ━━━━━━━━━━━━━━━━━━━─────────────  62.4 %  24,310 resources/s  ETA 0:04  31.2 MB/s  118,003 loaded  12 rejected  elapsed 0:07",
    );
  });

  test("narrow: the most wanted facts stay", () => {
    expect(progressLine(VIEW, { width: 60, color: false })).toMatch(
      /^loading {3}━+─+ {2}62\.4 % {2}24,310 resources\/s {2}ETA 0:04$/,
    );
    expect(progressLine(VIEW, { width: 24, color: false })).toBe("loading 62.4 %");
  });

  test("never wider than the terminal; colours do not count", () => {
    const share = double({ min: 0, max: 1, noNaN: true });
    const count = nat(10 ** 9);
    const rate = option(nat(10 ** 9), { nil: undefined });
    const view = record({
      phase: constantFrom("planning" as const, "loading" as const, "finishing" as const),
      share,
      loaded: count,
      rejected: count,
      resourceRate: rate,
      byteRate: rate,
      remaining: rate,
      elapsed: count,
    });
    assert(
      property(view, integer({ min: 12, max: 250 }), boolean(), (value, width, color) => {
        // oxlint-disable-next-line no-control-regex -- escape sequences are what is taken out
        const shown = progressLine(value, { width, color }).replaceAll(/\u001B\[\d+m/g, "");
        expect(shown.length).toBeLessThan(width);
      }),
    );
  });

  test("for logs", () => {
    expect(progressText(VIEW)).toBe(
      "loading 62.4 %, 24,310 resources/s, ETA 0:04, 31.2 MB/s, 118,003 loaded, 12 rejected, elapsed 0:07",
    );
  });
});

describe("display", () => {
  test("a terminal's line is rewritten and removed", () => {
    const { written, display } = open(true);
    display.show(VIEW);
    display.show(VIEW);
    display.end();
    display.end();
    expect(written).toHaveLength(3);
    expect(written.every((text) => text.startsWith("\r\u001B[2K") && !text.includes("\n"))).toBe(true);
  });

  test("elsewhere a plain line every few seconds, none for short imports", () => {
    const { written, display } = open(false);
    for (let elapsed = 0; elapsed <= 20; elapsed += 0.5) display.show({ ...VIEW, elapsed });
    display.end();
    expect(written).toHaveLength(4);
    expect(written.every((text) => text.endsWith("\n") && !text.includes("\u001B"))).toBe(true);
  });
});

function open(interactive: boolean): { written: string[]; display: ReturnType<typeof createDisplay> } {
  const written: string[] = [];
  const display = createDisplay({ write: (text) => written.push(text), interactive, color: false, width: () => 80 });
  return { written, display };
}

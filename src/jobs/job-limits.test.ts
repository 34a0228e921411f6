import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { StokerError } from "../base/errors.ts";
import { checkJobRoom, checkOpenJobs, lackOfRoom, tooOld, UNLIMITED } from "./job-limits.ts";

async function errorOf(work: () => Promise<unknown>): Promise<StokerError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof StokerError) return error;
    throw error;
  }
}

describe("limits of jobs", () => {
  it.each([
    ["import", 2, 3, undefined],
    ["import", 3, 3, "There are 3 imports waiting or running, and at most 3 may (STOKER_IMPORT_MAX_OPEN)"],
    ["export", 7, 3, "There are 7 exports waiting or running, and at most 3 may (STOKER_EXPORT_MAX_OPEN)"],
  ] as const)("of number: %ss, %i open of %i", async (kind, open, limit, text) => {
    const error = await errorOf(async () => checkOpenJobs(kind, open, { ...UNLIMITED, open: limit }));
    expect(error?.message.split(":")[0]).toBe(text);
    if (text !== undefined) expect([error?.status, error?.issue, error?.retryAfter]).toEqual([429, "throttled", 30]);
  });

  it("of free disk, also of a folder that is yet to be made", async () => {
    const folder = join(tmpdir(), "not", "there", "yet");
    expect(await lackOfRoom(undefined)).toBeUndefined();
    expect(await lackOfRoom({ folder, bytes: 1 })).toBeUndefined();
    const error = await errorOf(() => checkJobRoom("reindex", { ...UNLIMITED, room: { folder, bytes: 1e15 } }));
    expect([error?.status, error?.retryAfter]).toEqual([503, 30]);
    expect(error?.message).toMatch(
      /^No reindex starts: the disk has \d+ MB left, and 1000000000 MB must be free \(STOKER_JOB_MIN_FREE_BYTES\)\.$/,
    );
  });

  it("of age", () => {
    expect(tooOld("export", { open: 1, hours: 24 })).toBe(
      "the export was not finished after 24 hours (STOKER_JOB_MAX_HOURS).",
    );
  });
});

import { assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { serverSettings, settingsFile } from "./server-settings.ts";

const GB = 1024 ** 3;
const machine = { cores: 2, memoryBytes: 8 * GB, freeDiskBytes: 100 * GB, posixSharedMemory: true };

describe("serverSettings", () => {
  it.each([
    [0.25, "64MB"],
    [1, "256MB"],
    [4, "1024MB"],
    [8, "2048MB"],
    [512, "2048MB"],
  ])("gives %s GB of memory %s of buffers", (memory, buffers) => {
    expect(serverSettings({ ...machine, memoryBytes: memory * GB })["shared_buffers"]).toBe(buffers);
  });

  it.each([
    [1, "256MB", "80MB"],
    [16, "2048MB", "512MB"],
    [1000, "4096MB", "1024MB"],
  ])("lets the log take a part of %s GB of free disk", (disk, most, least) => {
    const settings = serverSettings({ ...machine, freeDiskBytes: disk * GB });
    expect([settings["max_wal_size"], settings["min_wal_size"]]).toEqual([most, least]);
  });

  it("does without /dev/shm", () => {
    expect(serverSettings({ ...machine, posixSharedMemory: false })["dynamic_shared_memory_type"]).toBe("mmap");
  });

  it("never logs what is stored", () => {
    expect(serverSettings(machine)).toMatchObject({ log_min_error_statement: "panic", log_error_verbosity: "terse" });
  });

  it("gives whole numbers on every machine", () => {
    const bytes = integer({ min: 1, max: 2 ** 45 });
    assert(
      property(integer({ min: 1, max: 512 }), bytes, bytes, (cores, memoryBytes, freeDiskBytes) => {
        const settings = serverSettings({ cores, memoryBytes, freeDiskBytes, posixSharedMemory: true });
        for (const [name, value] of Object.entries(settings))
          expect(`${name} ${value}`).not.toMatch(/NaN|-\d|\d\.\d+MB/);
      }),
    );
  });
});

describe("settingsFile", () => {
  it("quotes values", () => {
    expect(settingsFile({ a: "it's" })).toContain("a = 'it''s'\n");
  });
});

import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Tests with kills take long and use little of a processor: they come first, so that both processors are busy to the end.
 * Attacks stay among the others, by the size of their files: two at a time would slow each other's servers down.
 */
class KillsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- of the class, not of an array
    return (await super.sort(files)).toSorted((a, b) => Number(hasKills(b)) - Number(hasKills(a)));
  }
}

function hasKills({ moduleId }: TestSpecification): boolean {
  return moduleId.includes("/test/faults/");
}

/** Rooms without input and output: `npm run quick -- --coverage` measures how much of them its tests reach. */
const PURE_ROOMS = ["base", "fhir", "split", "check", "index", "patch"];

/** Tests that change the state of their thread (what it knows of a store), or look at the memory of their process. */
const ALONE = [
  "test/**/*.test.ts",
  "src/cli/**/*.test.ts",
  "src/**/*.db.test.ts",
  "src/postgres/embedded/**/*.test.ts",
];

/** What holds for all tests; a project inherits nothing, or each would start a PostgreSQL of its own. */
const COMMON = {
  setupFiles: ["test/support/property-seed.ts", "test/support/hash-key.ts"],
  testTimeout: 60_000,
  hookTimeout: 120_000,
  maxWorkers: 2,
};

export default defineConfig({
  test: {
    globalSetup: ["src/postgres/testing/global-setup.ts"],
    maxWorkers: 2,
    sequence: { sequencer: KillsFirst },
    projects: [
      {
        // Modules are loaded once for many files: loading them again took as long as the tests of these rooms.
        test: {
          ...COMMON,
          name: "rooms",
          isolate: false,
          include: ["src/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...ALONE],
        },
      },
      { test: { ...COMMON, name: "alone", include: ALONE } },
    ],
    coverage: {
      provider: "v8",
      include: PURE_ROOMS.map((room) => `src/${room}/**/*.ts`),
      reporter: ["text-summary"],
      // A floor: raise it when more is reached.
      thresholds: { statements: 91, branches: 85, functions: 91, lines: 93 },
    },
  },
});

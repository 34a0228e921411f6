import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Folders whose files take longest. They come first, so that both processors are busy to the end. */
const LONGEST = ["test/attacks/", "test/faults/", "test/"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.findIndex((folder) => moduleId.includes(`/${folder}`));
      return found === -1 ? LONGEST.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

/** Rooms without input and output: `npm run quick` measures how much of them their unit tests reach. */
const PURE_ROOMS = ["base", "fhir", "split", "check", "index", "patch"];

/** Tests that change the state of their thread (what it knows of a store), or look at the memory of their process. */
const ALONE = ["test/**/*.test.ts", "src/cli/**/*.test.ts", "src/**/*.db.test.ts", "src/store/embedded/**/*.test.ts"];

function project(
  name: string,
  isolate: boolean,
  include: string[],
  exclude: string[] = [],
): TestProjectInlineConfiguration {
  return { extends: true, test: { name, isolate, include, exclude: [...configDefaults.exclude, ...exclude] } };
}

export default defineConfig({
  test: {
    setupFiles: ["test/support/property-seed.ts", "test/support/hash-key.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    globalSetup: ["src/store/testing/global-setup.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      // Modules are loaded once for many files: that takes a quarter of the time.
      project("rooms", false, ["src/**/*.test.ts"], ALONE),
      project("alone", true, ALONE),
    ],
    coverage: {
      provider: "v8",
      include: PURE_ROOMS.map((room) => `src/${room}/**/*.ts`),
      reporter: ["text-summary"],
      // A floor: raise it when more is reached.
      thresholds: { statements: 89, branches: 84, functions: 87, lines: 91 },
    },
  },
});

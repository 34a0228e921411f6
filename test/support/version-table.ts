import type { VersionCase } from "./version-cases.ts";

/** Rows of contract 5.3 to 5.5 about one Patient; with decisions D-01 to D-04. */
export const VERSION_CASES: readonly VersionCase[] = [
  {
    row: "C-040",
    title: "version and date are kept",
    steps: [{ lines: ["v2@2021 a"], history: ["v2@2021 a"] }],
  },
  {
    row: "C-045",
    title: "a version without date, new id",
    steps: [{ lines: ["v7 a"], history: ["v1@server a"] }],
  },
  {
    row: "C-046",
    title: "a version without date, id exists",
    steps: [
      { lines: ["v3@2020 a"], history: ["v3@2020 a"] },
      { lines: ["v7 b"], history: ["v4@server b", "v3@2020 a"] },
    ],
  },
  {
    row: "C-047",
    title: "a version that is no number",
    variant: "text",
    steps: [{ lines: ["vabc@2021 a"], history: ["v1@2021 a"] }],
  },
  {
    row: "C-047",
    title: "a version beyond 32 bits",
    variant: "large",
    steps: [{ lines: ["v99999999999@2021 a"], history: ["v1@2021 a"] }],
  },
  {
    row: "C-048",
    title: "version 0 is no version (D-01: a conflict)",
    steps: [{ lines: ["v0@2021 a"], conflict: [1], history: [] }],
  },
  {
    row: "C-050",
    title: "the same version and date twice",
    steps: [{ lines: ["v2@2021 a", "v2@2021 a"], dup: [2], history: ["v2@2021 a"] }],
  },
  {
    row: "C-051",
    title: "the same line again",
    steps: [
      { lines: ["v2@2021 a"], history: ["v2@2021 a"] },
      { lines: ["v2@2021 a"], history: ["v2@2021 a"] },
    ],
  },
  {
    row: "C-052",
    title: "the same line without version again",
    steps: [
      { lines: ["@2021 a"], history: ["v1@2021 a"] },
      { lines: ["@2021 a"], history: ["v1@2021 a"] },
    ],
  },
  {
    row: "C-053",
    title: "same version and date, other content",
    steps: [
      { lines: ["v2@2021 a"], history: ["v2@2021 a"] },
      { lines: ["v2@2021 b"], conflict: [1], history: ["v2@2021 a"] },
    ],
  },
  {
    row: "C-054",
    title: "same date and content without version",
    steps: [
      { lines: ["v2@2021 a"], history: ["v2@2021 a"] },
      { lines: ["@2021 a"], history: ["v2@2021 a"] },
    ],
  },
  {
    row: "C-055",
    title: "same date and content, another version",
    steps: [
      { lines: ["v2@2021 a"], history: ["v2@2021 a"] },
      { lines: ["v3@2021 a"], conflict: [1], history: ["v2@2021 a"] },
    ],
  },
  {
    row: "C-056",
    title: "one date, two versions",
    steps: [
      { lines: ["v2@2002 a"], history: ["v2@2002 a"] },
      { lines: ["v1@2003 b", "v3@2003 c"], dup: [1], history: ["v3@2003 c", "v2@2002 a"] },
    ],
  },
  {
    row: "C-057",
    title: "one date, two versions, two imports",
    steps: [
      { lines: ["v2@2002 a"], history: ["v2@2002 a"] },
      { lines: ["v1@2003 b"], conflict: [1], history: ["v2@2002 a"] },
      { lines: ["v3@2003 c"], history: ["v3@2003 c", "v2@2002 a"] },
    ],
  },
  {
    row: "C-058",
    title: "one version, two dates",
    steps: [
      { lines: ["v2@2002 a"], history: ["v2@2002 a"] },
      { lines: ["v3@2001 b", "v3@2003 c"], dup: [1], history: ["v3@2003 c", "v2@2002 a"] },
    ],
  },
  {
    row: "C-059",
    title: "versions of one date are compared as numbers",
    steps: [{ lines: ["v9@2021 a", "v10@2021 b"], dup: [1], history: ["v10@2021 b"] }],
  },
  {
    row: "C-060",
    title: "one version, now and a little later",
    steps: [{ lines: ["v1@now a", "v1@now+8s a"], dup: [1], history: ["v1@now+8s a"] }],
  },
  {
    row: "C-061",
    title: "the version of a resource that was PUT",
    steps: [
      { api: "a", history: ["v1@server a"] },
      { lines: ["v1@now+8s b"], conflict: [1], history: ["v1@server a"] },
    ],
  },
  {
    row: "C-062",
    title: "a version that is taken",
    steps: [
      { lines: ["v2@2002 a"], history: ["v2@2002 a"] },
      { lines: ["v2@2005 b"], conflict: [1], history: ["v2@2002 a"] },
    ],
  },
  ...["123", "132", "213", "231", "312", "321"].map((order) => ({
    row: "C-063",
    title: `three versions in the order ${order}`,
    variant: order,
    steps: [
      {
        lines: [...order].map((version) => `v${version}@200${version} ${"-abc"[Number(version)] ?? ""}`),
        history: ["v3@2003 c", "v2@2002 b", "v1@2001 a"],
      },
    ],
  })),
  {
    row: "C-064",
    title: "an earlier version becomes history",
    steps: [
      { lines: ["v2@2002 b"], history: ["v2@2002 b"] },
      { lines: ["v1@2001 a"], history: ["v2@2002 b", "v1@2001 a"] },
    ],
  },
  {
    row: "C-065",
    title: "an earlier version, and the same again",
    steps: [
      { lines: ["v2@now-1y b"], history: ["v2@now-1y b"] },
      { lines: ["v1@now-2y a"], history: ["v2@now-1y b", "v1@now-2y a"] },
      { lines: ["v1@now-2y a"], history: ["v2@now-1y b", "v1@now-2y a"] },
    ],
  },
  {
    row: "C-066",
    title: "versions around an existing one",
    steps: [
      { lines: ["v2@2002 b"], history: ["v2@2002 b"] },
      { lines: ["v1@2001 a", "v2@2002 b", "v3@2003 c"], history: ["v3@2003 c", "v2@2002 b", "v1@2001 a"] },
    ],
  },
  {
    row: "C-067",
    title: "version numbers with gaps",
    steps: [
      { lines: ["v10000@2000 b"], history: ["v10000@2000 b"] },
      {
        lines: ["v10100@2001 c", "v9000@1999 a", "v10300@2003 d"],
        history: ["v10300@2003 d", "v10100@2001 c", "v10000@2000 b", "v9000@1999 a"],
      },
    ],
  },
  {
    row: "C-067",
    title: "version numbers with gaps, with a declared type",
    variant: "declared",
    declared: true,
    steps: [
      { lines: ["v10000@2000 b"], history: ["v10000@2000 b"] },
      {
        lines: ["v10100@2001 c", "v9000@1999 a", "v10300@2003 d"],
        history: ["v10300@2003 d", "v10100@2001 c", "v10000@2000 b", "v9000@1999 a"],
      },
    ],
  },
  {
    row: "C-068",
    title: "version and date out of step in one file",
    negatives: true,
    steps: [{ lines: ["v3@2001 a", "v2@2004 b"], conflict: [1], history: ["v2@2004 b"] }],
  },
  {
    row: "C-069",
    title: "version and date out of step in separate imports",
    negatives: true,
    steps: [
      { lines: ["v3@2001 a"], history: ["v3@2001 a"] },
      { lines: ["v2@2002 b"], conflict: [1], history: ["v3@2001 a"] },
      { lines: ["v4@2000 c"], conflict: [1], history: ["v3@2001 a"] },
    ],
  },
  {
    row: "C-070",
    title: "only the current version is compared, not history",
    steps: [
      { lines: ["v1@2001 a", "v5@2005 b"], history: ["v5@2005 b", "v1@2001 a"] },
      { lines: ["v3@2000 c"], history: ["v5@2005 b", "v1@2001 a", "v3@2000 c"] },
    ],
  },
  {
    row: "C-071",
    title: "a gap in the numbers is kept",
    steps: [
      { lines: ["v1@2001 a"], history: ["v1@2001 a"] },
      { lines: ["v3@2003 c"], history: ["v3@2003 c", "v1@2001 a"] },
    ],
  },
  {
    row: "C-072",
    title: "a refused version is no reference for the others",
    steps: [{ lines: ["v2@2004 a", "v5@2003 b", "v3@2002 c"], conflict: [2, 3], history: ["v2@2004 a"] }],
  },
  { row: "C-080", title: "a date alone", steps: [{ lines: ["@2021 a"], history: ["v1@2021 a"] }] },
  {
    row: "C-081",
    title: "three dates in any order",
    steps: [{ lines: ["@2003 c", "@2001 a", "@2002 b"], history: ["v3@2003 c", "v2@2002 b", "v1@2001 a"] }],
  },
  {
    row: "C-082",
    title: "an earlier date, and the same again",
    steps: [
      { lines: ["v2@now-1y b"], history: ["v2@now-1y b"] },
      { lines: ["@now-2y a"], history: ["v2@now-1y b", "v1@now-2y a"] },
      { lines: ["@now-2y a"], history: ["v2@now-1y b", "v1@now-2y a"] },
    ],
  },
  {
    row: "C-083",
    title: "dates within a gap of versions",
    negatives: true,
    steps: [
      { lines: ["v1@2001 a", "v10@2004 d"], history: ["v10@2004 d", "v1@2001 a"] },
      { lines: ["@2002 b", "@2003 c"], history: ["v10@2004 d", "v9@2003 c", "v8@2002 b", "v1@2001 a"] },
    ],
  },
  {
    row: "C-084",
    title: "a date within a gap of the same file",
    steps: [{ lines: ["v1@2001 a", "@2002 b", "v3@2003 c"], history: ["v3@2003 c", "v2@2002 b", "v1@2001 a"] }],
  },
  {
    row: "C-085",
    title: "no gap: a negative version",
    negatives: true,
    steps: [{ lines: ["v1@2001 a", "@2002 b", "v2@2003 c"], history: ["v2@2003 c", "v-1@2002 b", "v1@2001 a"] }],
  },
  {
    row: "C-086",
    title: "no gap, and no negative versions",
    steps: [{ lines: ["v1@2001 a", "@2002 b", "v2@2003 c"], conflict: [2], history: ["v2@2003 c", "v1@2001 a"] }],
  },
  {
    row: "C-087",
    title: "two negative versions",
    negatives: true,
    steps: [
      {
        lines: ["v1@2001 a", "@2002 b", "@2003 c", "v2@2004 d"],
        history: ["v2@2004 d", "v-1@2003 c", "v-2@2002 b", "v1@2001 a"],
      },
    ],
  },
  {
    row: "C-088",
    title: "one date in each of two gaps",
    negatives: true,
    steps: [
      { lines: ["v1@2001 a", "v3@2003 c", "v5@2005 e"], history: ["v5@2005 e", "v3@2003 c", "v1@2001 a"] },
      {
        lines: ["@2004 d", "@2002 b"],
        history: ["v5@2005 e", "v4@2004 d", "v3@2003 c", "v2@2002 b", "v1@2001 a"],
      },
    ],
  },
  {
    row: "C-089",
    title: "newer dates count up in date order",
    steps: [
      { lines: ["v4@2020 a"], history: ["v4@2020 a"] },
      { lines: ["@2022 c", "@2021 b"], history: ["v6@2022 c", "v5@2021 b", "v4@2020 a"] },
    ],
  },
  {
    row: "C-090",
    title: "the same content with a new date is a new version",
    steps: [
      { lines: ["v1@2020 a"], history: ["v1@2020 a"] },
      { lines: ["@2021 a"], history: ["v2@2021 a", "v1@2020 a"] },
    ],
  },
  {
    row: "C-091",
    title: "a date after that of a resource that was PUT",
    steps: [
      { api: "a", history: ["v1@server a"] },
      { lines: ["@now+8s b"], history: ["v2@now+8s b", "v1@server a"] },
    ],
  },
  {
    row: "C-092",
    title: "two bare lines (D-02)",
    steps: [{ lines: ["bare a", "bare b"], dup: [2], history: ["v1@server a"] }],
  },
  {
    row: "C-094",
    title: "a bare line equal to the current version",
    steps: [
      { lines: ["bare a"], history: ["v1@server a"] },
      { lines: ["bare a"], history: ["v1@server a"] },
    ],
  },
  {
    row: "C-095",
    title: "a bare line with other content (D-02: an earlier import)",
    steps: [
      { lines: ["bare a"], history: ["v1@server a"] },
      { lines: ["bare b"], history: ["v2@server b", "v1@server a"] },
    ],
  },
  {
    row: "C-096",
    title: "a bare line, and one of yesterday with the same content",
    steps: [{ lines: ["bare a", "@now-1d a"], history: ["v1@now-1d a"] }],
  },
  {
    row: "C-098",
    title: "versions without dates are bare lines",
    steps: [{ lines: ["v1 a", "v2 b"], dup: [2], history: ["v1@server a"] }],
  },
  {
    row: "C-100",
    title: "a negative version, not allowed",
    steps: [
      { lines: ["v-200@now b"], conflict: [1], history: [] },
      { lines: ["bare a"], history: ["v1@server a"] },
      { lines: ["v-200@now b"], conflict: [1], history: ["v1@server a"] },
    ],
  },
  {
    row: "C-101 to C-103, C-105",
    title: "negative versions only, then a bare line",
    variant: "negatives",
    negatives: true,
    steps: [
      { lines: ["v-200@now-2d a"], history: ["v-200@now-2d a"] },
      { lines: ["v-100@now-4d b"], history: ["v-200@now-2d a", "v-100@now-4d b"] },
      { lines: ["v-5@now-1d c"], history: ["v-5@now-1d c", "v-200@now-2d a", "v-100@now-4d b"] },
      { lines: ["bare d"], history: ["v1@server d", "v-5@now-1d c", "v-200@now-2d a", "v-100@now-4d b"] },
    ],
  },
  {
    row: "C-104",
    title: "a negative version leaves the current one",
    negatives: true,
    steps: [
      { lines: ["v4@now-1d a"], history: ["v4@now-1d a"] },
      { lines: ["v-100@now b"], history: ["v-100@now b", "v4@now-1d a"] },
    ],
  },
];

import type { VersionCase } from "./version-cases.ts";

/** Rows of contract 5.6 and 5.7, soft deletes and InitialLoad, about one Patient with decision D-27. */
export const DELETION_CASES: readonly VersionCase[] = [
  {
    row: "C-110",
    title: "live, then deleted an hour later",
    steps: [{ lines: ["@2000 a", "@2000+3600s a x"], history: ["v2@2000+3600s a x", "v1@2000 a"] }],
  },
  ...["live first", "deleted first"].flatMap((order) => {
    const ordered = (lines: string[]): string[] => (order === "live first" ? lines : lines.toReversed());
    const variant = order.replace(" ", "-");
    return [
      {
        row: "C-111",
        title: `versions: live, then deleted (${order} in the file)`,
        variant,
        steps: [{ lines: ordered(["v1@2000 a", "v2@2000+1s a x"]), history: ["v2@2000+1s a x", "v1@2000 a"] }],
      },
      {
        row: "C-112",
        title: `versions: deleted, then live (${order} in the file)`,
        variant,
        steps: [{ lines: ordered(["v2@2000+1s a", "v1@2000 a x"]), history: ["v2@2000+1s a", "v1@2000 a x"] }],
      },
      {
        row: "C-113",
        title: `dates: live, then deleted (${order} in the file)`,
        variant,
        steps: [{ lines: ordered(["@2000 a", "@2000+1s a x"]), history: ["v2@2000+1s a x", "v1@2000 a"] }],
      },
      {
        row: "C-114",
        title: `dates: deleted, then live (${order} in the file)`,
        variant,
        steps: [{ lines: ordered(["@2000+1s a", "@2000 a x"]), history: ["v2@2000+1s a", "v1@2000 a x"] }],
      },
      {
        row: "C-115",
        title: `bare lines, one deleted (${order} in the file)`,
        variant,
        steps: [
          {
            lines: ordered(["bare a", "bare a x"]),
            dup: [2],
            history: [order === "live first" ? "v1@server a" : "v1@server a x"],
          },
        ],
      },
      {
        row: "C-115",
        title: `versions without dates, one deleted (${order} in the file)`,
        variant: `v-${variant}`,
        steps: [
          {
            lines: ordered(["v1 a", "v2 a x"]),
            dup: [2],
            history: [order === "live first" ? "v1@server a" : "v1@server a x"],
          },
        ],
      },
    ];
  }),
  {
    row: "C-116",
    title: "only a deleted line",
    steps: [{ lines: ["v5@2021 a x"], history: ["v5@2021 a x"] }],
  },
  {
    row: "C-117, C-118",
    title: "PUT, deleted by a bare line, once more (D-27), and live again",
    variant: "bare-deletes",
    steps: [
      { api: "a", history: ["v1@server a"] },
      { lines: ["bare a x"], history: ["v2@server a x", "v1@server a"] },
      { lines: ["bare a x"], history: ["v2@server a x", "v1@server a"] },
      { lines: ["bare b"], history: ["v3@server b", "v2@server a x", "v1@server a"] },
    ],
  },
  {
    row: "C-119",
    title: "the marker with the date of a live version is a conflict (D-27)",
    steps: [
      { lines: ["v1@2021 a"], history: ["v1@2021 a"] },
      { lines: ["@2021 a x"], conflict: [1], history: ["v1@2021 a"] },
    ],
  },
  {
    row: "C-124",
    title: "deleted by the API, and live again by a bare line",
    steps: [
      { api: "a", history: ["v1@server a"] },
      { api: "delete", history: ["v2@server a x", "v1@server a"] },
      { lines: ["bare a"], history: ["v3@server a", "v2@server a x", "v1@server a"] },
    ],
  },
  {
    row: "C-120",
    title: "a bare line brings a deleted resource with the same content back (D-27)",
    steps: [
      { lines: ["@2021 a x"], history: ["v1@2021 a x"] },
      { lines: ["bare a"], history: ["v2@server a", "v1@2021 a x"] },
    ],
  },
  {
    row: "C-123",
    title: "InitialLoad of a deleted line",
    mode: "InitialLoad",
    steps: [{ lines: ["v5@2021 a x"], history: ["v1@server a x"] }],
  },
  {
    row: "C-130",
    title: "InitialLoad: version and date are ignored",
    mode: "InitialLoad",
    steps: [{ lines: ["v2@2021 a", "v2@2021 a"], dup: [2], history: ["v1@server a"] }],
  },
  {
    row: "C-131",
    title: "InitialLoad: what exists is a duplicate (D-14)",
    mode: "InitialLoad",
    steps: [
      { lines: ["bare a", "bare b"], dup: [2], history: ["v1@server a"] },
      { lines: ["bare a", "bare b"], dup: [1, 2], history: ["v1@server a"] },
    ],
  },
  {
    row: "C-132",
    title: "InitialLoad: the content that was PUT stays",
    mode: "InitialLoad",
    steps: [
      { api: "a", history: ["v1@server a"] },
      { lines: ["v2@2021 b"], dup: [1], history: ["v1@server a"] },
    ],
  },
  {
    row: "C-133",
    title: "InitialLoad: a deleted resource exists",
    mode: "InitialLoad",
    steps: [
      { lines: ["bare a x"], history: ["v1@server a x"] },
      { lines: ["bare a"], dup: [1], history: ["v1@server a x"] },
    ],
  },
  {
    row: "C-133",
    title: "InitialLoad: a resource that the API deleted exists",
    variant: "api",
    mode: "InitialLoad",
    steps: [
      { api: "a", history: ["v1@server a"] },
      { api: "delete", history: ["v2@server a x", "v1@server a"] },
      { lines: ["bare a"], dup: [1], history: ["v2@server a x", "v1@server a"] },
    ],
  },
  {
    row: "C-136",
    title: "InitialLoad: no check for the future",
    mode: "InitialLoad",
    steps: [{ lines: ["@2999 a"], history: ["v1@server a"] }],
  },
];

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";
import { describe, expect, it } from "vitest";

/**
 * What the code cites can be read in the repository: rules (`C-063`, `R-009`, `L-003`) and sections (`contract 5.4`) in
 * docs/contract.md, decisions (`D-06`) in docs/decisions/. Texts that users see cite nothing.
 */

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const OWN = fileURLToPath(import.meta.url);
const SKIPPED = new Set(["node_modules", "dist", ".git"]);

function filesBelow(path: string, endings: RegExp): string[] {
  if (SKIPPED.has(path.split("/").at(-1) ?? "")) return [];
  if (!statSync(path).isDirectory()) return endings.test(path) && path !== OWN ? [path] : [];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name), endings));
}

const documents = ["README.md", "CONTRIBUTING.md", "docs", "tools/README.md"].flatMap((path) =>
  filesBelow(join(ROOT, path), /\.md$/),
);
const citing = [
  ...["src", "test", "tools", "bench", "bin"].flatMap((path) => filesBelow(join(ROOT, path), /\.(?:ts|mjs|js|sql)$/)),
  ...documents,
];
const contract = readFileSync(join(ROOT, "docs/contract.md"), "utf8");

const rules = new Set([...contract.matchAll(/^\| ([CRL]-\d{3}) \|/gm)].map((match) => match[1]));
const sections = new Set([...contract.matchAll(/^##+ (\d+(?:\.\d+)?)\.? /gm)].map((match) => match[1]));
const steps = new Set([...contract.matchAll(/^\* \*\*(\([a-e]\)) /gm)].map((match) => `5.4 ${match[1] ?? ""}`));
const decisions = new Set(
  readdirSync(join(ROOT, "docs/decisions")).flatMap((name) => /^(D-\d{2})-[a-z-]+\.md$/.exec(name)?.[1] ?? []),
);

/** The text of a file with the breaks of comment lines taken out. */
const withoutBreaks = (text: string): string => text.replaceAll(/\s*\n\s*(?:\*(?!\/)|\/\/|--)?\s*/g, " ");

const CITED_SECTIONS =
  /\bcontract(?:'s)?(?: sections?)? (\d+(?:\.\d+)?(?: \([a-e]\))?(?:(?:,| and| to|, and) \d+(?:\.\d+)?(?: \([a-e]\))?)*)/gi;

/** Ids and sections that a text cites. */
function citations(text: string): { ids: string[]; sections: string[] } {
  const flat = withoutBreaks(text);
  return {
    ids: [...flat.matchAll(/\b[CRLD]-\d{2,3}\b/g)].map((match) => match[0]),
    sections: [
      ...[...flat.matchAll(CITED_SECTIONS)].flatMap((match) => (match[1] ?? "").split(/,? and |, | to /)),
      ...[...flat.matchAll(/\b5\.4 \([a-z]\)/g)].map((match) => match[0]),
    ],
  };
}

const isKnownId = (id: string): boolean => rules.has(id) || decisions.has(id);
const isKnownSection = (section: string): boolean => sections.has(section) || steps.has(section);

describe("ids", () => {
  it("are found in code and comments, also over the end of a line", () => {
    expect(citations("(contract 5.1 to\n * 5.3 and 10.6, D-06); R-009")).toEqual({
      ids: ["D-06", "R-009"],
      sections: ["5.1", "5.3", "10.6"],
    });
    expect(citations("5.4 (b) with C-050").sections).toEqual(["5.4 (b)"]);
  });

  it("have one row in docs/contract.md or one page in docs/decisions/", () => {
    const rows = [...contract.matchAll(/^\| ([CRL]-\d{3}) \|/gm)].map((match) => match[1]);
    expect(rows).toHaveLength(rules.size);
    for (const id of decisions) {
      const name = readdirSync(join(ROOT, "docs/decisions")).find((name) => name.startsWith(`${id}-`)) ?? "";
      expect(readFileSync(join(ROOT, "docs/decisions", name), "utf8")).toMatch(new RegExp(`^# ${id}: `));
    }
    expect([rules.size, decisions.size].every((size) => size > 25)).toBe(true);
  });

  it("resolve wherever they are cited", () => {
    const unknown = citing.flatMap((file) => {
      const cited = citations(readFileSync(file, "utf8"));
      return [
        ...cited.ids.filter((id) => !isKnownId(id)),
        ...cited.sections.filter((section) => !isKnownSection(section)).map((section) => `contract ${section}`),
      ].map((citation) => `${relative(ROOT, file)}: ${citation}`);
    });
    expect(unknown).toEqual([]);
  });

  it("name no other document", () => {
    const elsewhere = /\bappendix b\b|\b(?:decisions|interface|house|import-contract)\.md\b|(?<![\w/])spec\/\w/i;
    expect(citing.filter((file) => elsewhere.test(readFileSync(file, "utf8"))).map((f) => relative(ROOT, f))).toEqual(
      [],
    );
  });
});

describe("texts that users see", () => {
  /** What a user cannot look up: our ids, and documents that are named without a link. */
  const INTERNAL = /\b[CRLD]-\d{2,3}\b|\bcontract (?:section )?\d|\bthe (?:contract|specification|review)\b/i;

  it("in the program cite nothing", () => {
    const wrong: string[] = [];
    for (const file of filesBelow(join(ROOT, "src"), /(?<!\.test)\.ts$/)) {
      if (file.includes("/testing/")) continue;
      const text = readFileSync(file, "utf8");
      const look = (literal: string, start: number): void => {
        if (INTERNAL.test(literal))
          wrong.push(`${relative(ROOT, file)}:${String(text.slice(0, start).split("\n").length)}: ${literal}`);
      };
      new Visitor({
        Literal: (node) => {
          if (typeof node.value === "string") look(node.value, node.start);
        },
        TemplateElement: (node) => look(node.value.cooked ?? "", node.start),
      }).visit(parseSync(file, text).program);
    }
    expect(wrong).toEqual([]);
  });

  it("in the documents for users cite nothing", () => {
    const forDevelopers =
      /^(?:CONTRIBUTING\.md|tools\/README\.md|docs\/(?:architecture|contract)\.md|docs\/decisions\/.*)$/;
    const pages = documents.filter((file) => !forDevelopers.test(relative(ROOT, file)));
    expect(pages.length).toBeGreaterThan(5);
    const wrong = pages.flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .flatMap((line, index) =>
          INTERNAL.test(line) ? [`${relative(ROOT, file)}:${String(index + 1)}: ${line}`] : [],
        ),
    );
    expect(wrong).toEqual([]);
  });
});

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const PAGES = ["README.md", "CONTRIBUTING.md", "tools/README.md"]
  .concat(readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => `docs/${name}`))
  .filter((name) => name.endsWith(".md"));

/** The text without what stands in code, where nothing is a link. */
function prose(markdown: string): string {
  return markdown.replace(/^(```|~~~)[^]*?^\1/gm, "").replace(/(`+)[^`\n]+\1/g, "");
}

/** Addresses of links and images: `[text](address "title")`, `[name]: address`, `href="address"`, `src="address"`. */
function linksOf(markdown: string): string[] {
  const text = prose(markdown);
  return [
    /\]\(<?([^()\s<>]+)>?(?:\s+"[^"\n]*")?\)/g,
    /^\[[^\]\n]+\]:\s+(\S+)/gm,
    /\b(?:href|src)="([^"\n]+)"/g,
  ].flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? ""));
}

/** The anchors that GitHub makes of headings; a heading that occurs again gets a number. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const lines = markdown.replace(/^(```|~~~)[^]*?^\1/gm, "").split("\n");
  for (const line of lines) {
    const heading = /^#{1,6}\s+(\S.*)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const anchor = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .trim()
      .replaceAll(" ", "-");
    let unique = anchor;
    for (let number = 1; anchors.has(unique); number++) unique = `${anchor}-${String(number)}`;
    anchors.add(unique);
  }
  for (const match of markdown.matchAll(/<a (?:id|name)="([^"\n]+)"/g)) anchors.add(match[1] ?? "");
  return anchors;
}

/** The links of a page that lead to no file, no anchor, or out of the repository. */
function brokenLinks(page: string, markdown: string): string[] {
  return linksOf(markdown).filter((link) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const target = join(root, dirname(page), decodeURIComponent(path));
    if (path !== "" && (relative(root, target).startsWith("..") || !existsSync(target))) return true;
    if (anchor === undefined) return false;
    if (path === "") return !anchorsOf(markdown).has(anchor);
    if (statSync(target).isDirectory() || !target.endsWith(".md")) return true;
    return !anchorsOf(readFileSync(target, "utf8")).has(anchor);
  });
}

describe("links in the documentation", () => {
  it.each(PAGES)("of %s lead somewhere", (page) => {
    expect(brokenLinks(page, readFileSync(join(root, page), "utf8"))).toEqual([]);
  });

  it("are found, right and wrong ones", () => {
    const page = [
      "# A page: of `code` & more",
      "## Again",
      "## Again",
      "[a](#a-page-of-code--more) [b](#again-1) [c](export.md) [d](../README.md 'x') [e](https://example.org/none)",
      "`[not a link](nowhere.md)` [f](nowhere.md) [g](#again-2) [h](export.md#nowhere) ![i](nowhere.svg)",
      "```",
      "[in code](nowhere.md)",
      "```",
      "[j]: nowhere-else.md",
      '<img src="nowhere.png">',
      "[out](../../elsewhere.md)",
    ].join("\n");
    expect(brokenLinks("docs/page.md", page)).toEqual([
      "nowhere.md",
      "#again-2",
      "export.md#nowhere",
      "nowhere.svg",
      "../../elsewhere.md",
      "nowhere-else.md",
      "nowhere.png",
    ]);
  });

  it("are there", () => {
    const links = PAGES.flatMap((page) => linksOf(readFileSync(join(root, page), "utf8")));
    expect(links.length).toBeGreaterThan(20);
  });
});

/**
 * FHIR's escaping in query values: `\,` `\|` `\$` `\\` stand for the character itself (R4 search, 3.1.1.5.7). A
 * backslash before any other character, or at the end, is illegal; here it is taken as it is.
 */

/** Whether a backslash stands where it means nothing. */
export function hasIllegalEscape(text: string): boolean {
  return text.includes("\\") && text.replaceAll(/\\[,|$\\]/g, "").includes("\\");
}

/** The values that are joined by unescaped commas, still escaped. Empty ones do not count: `smith,` is `smith`. */
export function alternativesIn(text: string): string[] {
  return splitEscaped(text, ",").filter((part) => part !== "");
}

/** Whether there is no value at all. R4 3.1.1.3: such a parameter is no error, it is ignored. */
export function isEmptyValue(text: string): boolean {
  return /^,*$/.test(text);
}

/** The parts between unescaped `separator`s, still escaped; always at least one part. */
export function splitEscaped(text: string, separator: "," | "|" | "$"): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "\\" && ESCAPABLE.includes(text[index + 1] ?? "-")) index++;
    else if (character === separator) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** The text that an escaped part stands for. */
export function unescape(text: string): string {
  return text.replaceAll(/\\([,|$\\])/g, "$1");
}

const ESCAPABLE = ",|$\\";

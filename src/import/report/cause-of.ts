/**
 * The cause behind the message of a rejected line: ids, positions and values taken out, the element's place kept without
 * indexes of lists. The contract's rule for ids, which is long, is said in one line. `expression` is the element's path.
 */
export function causeOf(message: string, expression: string | undefined): string {
  if (message.startsWith("Invalid resource id: 'null or empty'")) return "The resource has no id.";
  // About a whole file: what to do stands in it.
  if (message.startsWith("The file is ")) return message;
  if (message.startsWith("Invalid resource id:")) {
    return "Invalid resource id: 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.' are allowed.";
  }
  const text = message
    .replaceAll(/(resource id: )(?:'[^']*'|[^\s,]+)/g, "$1…")
    .replaceAll(
      /(element )?(["'])((?:(?!\2).){1,300})\2/g,
      (whole, element: string | undefined, quote: string, inner: string) =>
        element !== undefined || inner.length <= 1 || isName(inner) ? whole : `${quote}…${quote}`,
    )
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, "…")
    .replaceAll(
      /\b[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}(?:\/_history\/\d+)?/g,
      (reference) => `${reference.split("/")[0] ?? ""}/…`,
    )
    .replaceAll(/\[\d+\]/g, "")
    .replaceAll(/\b\d+(?= (?:characters?|bytes?)\b)/g, "n")
    .replaceAll(/\b(line|position|offset|column|version|byte)(:?)\s*-?\d+/gi, "$1$2 n")
    .replaceAll(/(?<![\w.'"-])-?\d+(?:\.\d+)?(?![\w'"])/g, (number) => (Number(number) >= 1000 ? "n" : number))
    .replaceAll(/\s+/g, " ")
    .trim();
  const element = expression?.replaceAll(/\[\d+\]/g, "");
  return element === undefined || text.includes(element) ? text : `${element}: ${text}`;
}

/** Names of elements, types and code lists stay: they are what the cause is about. */
function isName(text: string): boolean {
  return /^[A-Z][A-Za-z]*(?:\.[a-zA-Z]+)+$|^[A-Z][a-z]+(?:[A-Z][a-z]+)*$/.test(text);
}

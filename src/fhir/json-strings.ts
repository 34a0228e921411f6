/**
 * Calls `visit` with every string in the bytes of a JSON text that is a value, in their order: the name of the member it
 * stands in (directly, or as an item of its array), and where it is, quotes included. Nothing is validated; names with
 * escapes in them come as they are written.
 */
export function eachStringValue(bytes: Buffer, visit: (name: string, start: number, end: number) => void): void {
  let name = "";
  for (let start = bytes.indexOf(QUOTE); start >= 0;) {
    let end = bytes.indexOf(QUOTE, start + 1);
    while (end > 0 && isEscaped(bytes, end)) end = bytes.indexOf(QUOTE, end + 1);
    if (end < 0) return;
    end++;
    let after = end;
    for (let byte = bytes[after]; byte === 32 || byte === 9 || byte === 10 || byte === 13; byte = bytes[after]) after++;
    if (bytes[after] === COLON) name = bytes.toString("latin1", start + 1, end - 1);
    else visit(name, start, end);
    start = bytes.indexOf(QUOTE, end);
  }
}

const QUOTE = 34;
const COLON = 58;
const BACKSLASH = 92;

/** An odd number of backslashes stands before it. */
function isEscaped(bytes: Buffer, at: number): boolean {
  let before = at - 1;
  while (bytes[before] === BACKSLASH) before--;
  return (at - 1 - before) % 2 === 1;
}

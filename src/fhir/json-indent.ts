/**
 * The same JSON text with a line for every member and item, two blanks a level. Strings and numbers keep their bytes:
 * parsing and printing would change the digits of decimals. Returned as it is when the result had more than `limit`
 * bytes. Expects bytes that `JSON.parse` has accepted.
 */
export function indented(bytes: Buffer, limit: number): Buffer {
  const size = write(bytes, undefined);
  if (size > limit) return bytes;
  const result = Buffer.allocUnsafe(size);
  write(bytes, result);
  return result;
}

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const BLANK = 32;
const NEW_LINE = 10;

/** Writes the indented text and gives its length; without `to`, only that. */
function write(bytes: Buffer, to: Buffer | undefined): number {
  let length = 0;
  let depth = 0;
  const newLine = (): void => {
    if (to !== undefined) {
      to[length] = NEW_LINE;
      to.fill(BLANK, length + 1, length + 1 + depth * 2);
    }
    length += 1 + depth * 2;
  };
  const put = (byte: number): void => {
    if (to !== undefined) to[length] = byte;
    length++;
  };
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === BLANK || byte === NEW_LINE || byte === 9 || byte === 13) continue;
    if (byte === QUOTE) {
      const end = stringEnd(bytes, at);
      if (to !== undefined) bytes.copy(to, length, at, end);
      length += end - at;
      at = end - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      put(byte);
      const next = afterSpace(bytes, at + 1);
      if (bytes[next] === byte + 2) {
        put(byte + 2); // an empty object or array stays on its line
        at = next;
      } else {
        depth++;
        newLine();
      }
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      newLine();
      put(byte);
    } else {
      put(byte);
      if (byte === COMMA) newLine();
      else if (byte === COLON) put(BLANK);
    }
  }
  return length;
}

function afterSpace(bytes: Buffer, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte === BLANK || byte === NEW_LINE || byte === 9 || byte === 13; byte = bytes[at]) at++;
  return at;
}

function stringEnd(bytes: Buffer, at: number): number {
  let end = at + 1;
  for (; end < bytes.length && bytes[end] !== QUOTE; end++) if (bytes[end] === BACKSLASH) end++;
  return end + 1;
}

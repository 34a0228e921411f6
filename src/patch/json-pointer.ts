/** A JSON Pointer (RFC 6901): its text, and its steps unescaped. */
export interface JsonPointer {
  readonly text: string;
  readonly tokens: readonly string[];
}

/** Reads a JSON Pointer; undefined for what is none. */
export function parsePointer(text: string): JsonPointer | undefined {
  if (text === "") return { text, tokens: [] };
  if (!text.startsWith("/") || /~(?![01])/.test(text)) return undefined;
  const tokens = text
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  return { text, tokens };
}

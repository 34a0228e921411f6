/** A link of a Bundle of answers. */
export interface PageLink {
  relation: "self" | "first" | "previous" | "next" | "last";
  url: string;
}

/** A Bundle of answers, and the links that it has. */
export interface BundleAnswer {
  bytes: Buffer;
  links: readonly PageLink[];
}

/** A query's URL: `{base}/{path}?{parameters}`. */
export function queryUrl(base: string, path: string, parameters: readonly (readonly [string, string])[]): string {
  const query = parameters.map(([name, value]) => `${encode(name)}=${encode(withPlus(name, value))}`).join("&");
  return [`${base}${path === "" ? "" : "/"}${path}`, query].filter((part) => part !== "").join("?");
}

/**
 * The links as the value of an HTTP `Link` header (RFC 8288); undefined where there is one page only, or where the links are too
 * long for a header.
 */
export function linkHeader(links: readonly PageLink[]): string | undefined {
  if (links.length < 2) return undefined;
  const text = links.map(({ relation, url }) => `<${url}>; rel="${relation}"`).join(", ");
  return text.length > LONGEST_HEADER ? undefined : text;
}

/** Characters; clients and proxies take some 8 KB of all headers together. */
const LONGEST_HEADER = 4096;

/**
 * A value as it was meant: a `+` that was not escaped arrives as a space, in the time zone of a date and in the name of a format.
 * Neither has spaces of its own.
 */
function withPlus(name: string, value: string): string {
  if (name === "_format") return value.replace(" ", "+");
  return value.replaceAll(/(T[\d:.]{4,24}) (?=\d\d:\d\d)/g, "$1+");
}

/** Percent-encoding that leaves alone what a query may hold as it is, so that links stay readable. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/%(?:2C|2F|3A|24)/g, decodeURIComponent);
}

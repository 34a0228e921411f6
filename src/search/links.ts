/** A query's URL: `{base}/{path}?{parameters}`. */
export function queryUrl(base: string, path: string, parameters: readonly (readonly [string, string])[]): string {
  const query = parameters.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  return [`${base}${path === "" ? "" : "/"}${path}`, query].filter((part) => part !== "").join("?");
}

/** Percent-encoding that leaves alone what a query may hold as it is, so that links stay readable. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/%(?:2C|2F|3A|24)/g, decodeURIComponent);
}

/** A URL without slashes at its end. A regular expression such as `/\/+$/` would try each run of slashes up to its end. */
export function withoutTrailingSlashes(url: string): string {
  let end = url.length;
  while (url.endsWith("/", end)) end--;
  return url.slice(0, end);
}

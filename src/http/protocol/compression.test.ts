import { expect, it } from "vitest";
import { acceptedEncoding } from "./compression.ts";

it.each([
  [undefined, undefined],
  ["", undefined],
  ["identity", undefined],
  ["gzip, deflate, br", "gzip"],
  ["br, gzip;q=0.8", "br"],
  ["GZIP;q=0.5, deflate;q=0.7", "deflate"],
  ["x-gzip", "gzip"],
  ["*", "gzip"],
  ["gzip;q=0, *;q=0.1", "br"],
  ["gzip;q=0", undefined],
  ["zstd", undefined],
])("Accept-Encoding: %s is answered with %s", (header, encoding) => {
  expect(acceptedEncoding(header)).toBe(encoding);
});

import { describe, expect, it } from "vitest";
import { foldString } from "./search-value.ts";

describe("texts that a string search takes for the same", () => {
  it.each([
    ["Müller", "MULLER"],
    ["Straße", "STRASSE"],
    ["Weiß", "weiss"],
    ["STRAẞE", "strasse"],
    ["ΟΔΟΣ", "οδός"],
    ["Οδοσ", "οδος"],
    ["İstanbul", "istanbul"],
    ["ﬁn", "FIN"],
    ["Noël", "Noe\u0308l"],
  ])("%s and %s", (one, other) => {
    expect(foldString(one)).toBe(foldString(other));
  });

  it("a beginning in capitals is the beginning of the whole", () => {
    expect(foldString("ΟΔΟΣΑ").startsWith(foldString("ΟΔΟΣ"))).toBe(true);
  });
});

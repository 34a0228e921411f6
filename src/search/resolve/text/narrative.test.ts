import { describe, expect, it } from "vitest";
import { narrativeText } from "./narrative.ts";

describe("narrativeText", () => {
  it.each([
    ['<div xmlns="http://www.w3.org/1999/xhtml">A <b>Bo</b>ld<i> word</i></div>', "A Bold word"],
    ["<div><p>one</p><p>two</p>three<br/>four</div>", "one two three four"],
    ["<table><tr><td>a</td><td>b</td></tr></table>", "a b"],
    ['<img src="x.png" alt="picture"/>after', "after"],
    ["a<!-- <b>not</b> this -->b", "ab"],
    ["<blockquote>x</blockquote><abbr title='t'>y</abbr>z", "x yz"],
    [
      "Caf&eacute; &#246;&#xF6; &lt;b&gt; &amp;amp; &Omega;&alpha;&thorn;&yuml;&copy;&hearts;",
      "Café öö <b> &amp; Ωαþÿ©♥",
    ],
    ["&unknown; & &#x110000; &#99999999; AT&T", "&unknown; & &#x110000; &#99999999; AT&T"],
    ["&#0;&#xD800;", "\0\uD800"],
    ["open <b", "open"],
    ["open <!-- for ever", "open"],
    ["", ""],
  ])("%s reads %s", (div, text) => {
    expect(narrativeText(div).replaceAll(/[ ]+/g, " ").trim()).toBe(text);
  });

  it("has every character of a run at its place", () => {
    const text = narrativeText(
      "&nbsp;&Atilde;&Egrave;&Ugrave;&igrave;&thorn;&Rho;&Omega;&upsilon;&omega;&nsub;&diams;",
    );
    expect([...text].map((each) => each.codePointAt(0))).toEqual([
      160, 195, 200, 217, 236, 254, 929, 937, 965, 969, 8836, 9830,
    ]);
  });

  it.each(["<", "<!--", "<b", "&", "&#"])("takes no more time for a long text of %s", (part) => {
    expect(narrativeText(part.repeat(500_000)).length).toBeLessThanOrEqual(part.length * 500_000);
  });
});

import { assert, constantFrom, letrec, array, oneof, property, string, tuple } from "fast-check";
import { describe, expect, it } from "vitest";
import { xhtmlProblem } from "./xhtml.ts";

const div = (content: string): string => `<div xmlns="http://www.w3.org/1999/xhtml">${content}</div>`;

describe("XHTML of a narrative (R4 narrative.html)", () => {
  it.each([
    div("text"),
    ` \n${div("")} `,
    '<div xmlns="http://www.w3.org/1999/xhtml"/>',
    `<div\n  class='a' xmlns = "http://www.w3.org/1999/xhtml" ><p>x</p></div >`,
    div('<p style="color: red" lang="en" xml:lang="en">a &amp; b &lt; c &#160;&#x1F600; "quoted" > </p><br/><hr />'),
    div('<table border="1"><colgroup><col span="2"/></colgroup><tbody><tr><td colspan="2">x</td></tr></tbody></table>'),
    div('<a href="http://example.org/?a=1&amp;b=2#c">x</a><a name="n"/><img src="#pic" alt=""/>'),
    div('<img src="data:image/png;base64,AAAA" alt="x"/><a href="mailto:a@b.c">@</a><a href="javascripts.html">y</a>'),
    div("<!-- a comment - with <tags> & more --><b>ü 😀</b>"),
    div('<div xmlns="http://www.w3.org/1999/xhtml">inner</div>'),
  ])("%s passes", (text) => {
    expect(xhtmlProblem(text)).toBeUndefined();
  });

  const root = 'must be a <div xmlns="http://www.w3.org/1999/xhtml">';
  it.each([
    ["plain text", root],
    ["", root],
    ["<p>x</p>", root],
    ["<div>x</div>", root],
    ["<divx/>", root],
    ['<?xml version="1.0"?><div xmlns="http://www.w3.org/1999/xhtml">x</div>', root],
    ['<div xmlns="http://hl7.org/fhir">x</div>', 'has the namespace "http://hl7.org/fhir"'],
    ['<div xmlns="http://www.w3.org/1999/xhtml">x', "ends inside <div>"],
    [div("<p>x"), "has </div> at character 47 where <p> is open"],
    [div("<br>"), "has </div> at character 47 where <br> is open"],
    [div("a < b"), "has a < at character 45 that begins neither a tag nor a comment"],
    [div("a & b"), "has a & that is not written as &amp;"],
    [div("a&nbsp;b"), "has the entity &nbsp;, which XML does not know: write the character itself"],
    [div('<a href="?a=1&b=2">x</a>'), "has a & that is not written as &amp;"],
    [div("&#0;"), "has the character reference &#0;, which XML does not allow"],
    [div("&#xD800;"), "has the character reference &#xD800;, which XML does not allow"],
    [div("]]>"), "has ]]> in its text"],
    [div("\u0001"), "has a character that XML does not allow"],
    [div("\ud800"), "has a character that XML does not allow"],
    [div("<p class=a>x</p>"), "has a < at character 43 that begins neither a tag nor a comment"],
    [div('<p class="a" class="b">x</p>'), "has the attribute class twice at character 55"],
    [div('<p title="<b>">x</p>'), "has a < at character 43 that begins neither a tag nor a comment"],
    [div("<P>x</P>"), "has the element <P>, which narratives may not have"],
    [`${div("x")}y`, "continues after </div> at character 50"],
    [div("x") + div("y"), "continues after </div> at character 50"],
    ...[
      "script",
      "style",
      "form",
      "input",
      "iframe",
      "object",
      "embed",
      "link",
      "base",
      "body",
      "head",
      "svg",
      "font",
    ].map((name) => [div(`<${name}>x</${name}>`), `has the element <${name}>, which narratives may not have`]),
    [div('<p onclick="x()">x</p>'), "has the event attribute onclick, which narratives may not have"],
    [div('<p ONLOAD="x()">x</p>'), "has the event attribute ONLOAD, which narratives may not have"],
    [div('<p xlink:href="x">x</p>'), "has the attribute xlink:href of another namespace"],
    [div('<a href="javascript:alert(1)">x</a>'), "has active content in the attribute href"],
    [div('<a href=" Java&#115;cript&#x3a;alert(1)">x</a>'), "has active content in the attribute href"],
    [div('<a href="data:text/html,x">x</a>'), "has active content in the attribute href"],
    [div('<img src="data:text/html,x"/>'), "has active content in the attribute src"],
    [div('<p style="width: expression(x)">x</p>'), "has active content in the attribute style"],
    [div("<![CDATA[x]]>"), "has a < at character 43 that begins neither a tag nor a comment"],
    [div("<!DOCTYPE html>"), "has a < at character 43 that begins neither a tag nor a comment"],
    [div("<!-- a -- b -->"), "has a < at character 43 that begins neither a tag nor a comment"],
    // HTML ends this comment at its first >
    [div('<!--><img src="x"/>-->'), "has a < at character 43 that begins neither a tag nor a comment"],
    [div("<b>".repeat(300) + "</b>".repeat(300)), "has more than 200 levels of elements"],
  ])("%s", (text, problem) => {
    expect(xhtmlProblem(text)).toBe(problem);
  });

  it("whatever is built of allowed elements passes, and does not once a tag is taken away", () => {
    const name = constantFrom("p", "b", "table", "ul", "span");
    const { content } = letrec<{ content: string; element: string }>((tie) => ({
      content: array(oneof({ depthSize: "small" }, constantFrom("a &amp; b", "&lt;", "ü", " "), tie("element")), {
        maxLength: 4,
      }).map((parts) => parts.join("")),
      element: tuple(name, tie("content")).map(([tag, inner]) => `<${tag} title="x">${inner}</${tag}>`),
    }));
    assert(
      property(content, (inner) => {
        expect(xhtmlProblem(div(inner))).toBeUndefined();
        const cut = div(inner).replace(/<\/\w+>/, "");
        expect(xhtmlProblem(cut)).toBeDefined();
      }),
    );
  });

  it("answers in a short sentence whatever the text is", () => {
    const piece = constantFrom(
      "<div",
      ' xmlns="http://www.w3.org/1999/xhtml"',
      ">",
      "</div>",
      "<!--",
      "-->",
      "<",
      "&",
      "'",
      "=",
    );
    assert(
      property(array(oneof(piece, string()), { maxLength: 20 }), (pieces) => {
        expect((xhtmlProblem(pieces.join("")) ?? "").length).toBeLessThan(200);
      }),
    );
  });

  it.each([
    ["<b></b>", 1_000_000],
    ["<!---->", 1_000_000],
    ["&amp;", 1_000_000],
    [" a='x'", 1],
    ["\t", 3_000_000],
  ])("takes time that grows with the text only: %s", (piece, count) => {
    expect(xhtmlProblem(div(piece.repeat(count)))).toBeUndefined();
    expect(xhtmlProblem(div(`<p ${piece.repeat(count)}`))).toBeDefined();
  });
});

/**
 * Whether a narrative is XHTML as R4 has it (narrative.html, txt-1): well-formed XML, a `div` in the namespace of XHTML, the
 * elements of HTML 4 chapters 7 to 11 and 15, `a` and `img`, and nothing active. Not checked: which element may stand in
 * which, and which attribute at which element, because none of that harms a reader.
 *
 * One pass; sticky expressions that cannot match one piece of the text in two ways.
 */

const NAMESPACE = "http://www.w3.org/1999/xhtml";

const ELEMENTS: ReadonlySet<string> = new Set(
  (
    "a abbr acronym address area b bdo big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 " +
    "hr i img kbd li map ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var"
  ).split(" "),
);

/** Attributes whose value is a URL. */
const URLS: ReadonlySet<string> = new Set(["href", "src", "cite", "longdesc", "background", "usemap"]);

/** Levels of elements a narrative may have. */
const MAX_LEVELS = 200;

/** What is wrong with a narrative, as the rest of a sentence that begins "the narrative …"; undefined when nothing is. */
export function xhtmlProblem(text: string): string | undefined {
  if (LONE_SURROGATE.test(text) || CONTROL.test(text)) return "has a character that XML does not allow";
  const open: string[] = [];
  let at = skipSpace(text, 0);
  if (!ROOT.test(text.slice(at, at + 5))) return `must be a <div xmlns="${NAMESPACE}">`;
  do {
    const tag = text.indexOf("<", at);
    if (tag < 0) return `ends inside <${open.at(-1) ?? ""}>`;
    const badText = textProblem(text.slice(at, tag));
    if (badText !== undefined) return badText;
    const next = text.charCodeAt(tag + 1);
    if (next === SLASH) {
      const end = matchAt(END_TAG, text, tag);
      if (end === undefined) return notATag(tag);
      const name = open.pop();
      if (name !== end[1]) return `has </${shown(end[1])}> at character ${tag + 1} where <${name ?? ""}> is open`;
      at = tag + end[0].length;
    } else if (next === EXCLAMATION) {
      const end = commentEnd(text, tag);
      if (end < 0) return notATag(tag);
      at = end;
    } else {
      const start = readStartTag(text, tag, open.length === 0);
      if (typeof start === "string") return start;
      if (!start.isClosed) open.push(start.name);
      if (open.length > MAX_LEVELS) return `has more than ${MAX_LEVELS} levels of elements`;
      at = start.end;
    }
  } while (open.length > 0);
  return skipSpace(text, at) < text.length ? `continues after </div> at character ${at + 1}` : undefined;
}

interface StartTag {
  readonly name: string;
  readonly isClosed: boolean;
  /** Index after the tag. */
  readonly end: number;
}

function readStartTag(text: string, tag: number, isRoot: boolean): StartTag | string {
  const start = matchAt(START, text, tag);
  const name = start?.[1];
  if (start === undefined || name === undefined) return notATag(tag);
  if (!ELEMENTS.has(name)) return `has the element <${shown(name)}>, which narratives may not have`;
  const seen = new Set<string>();
  let at = tag + start[0].length;
  for (
    let attribute = matchAt(ATTRIBUTE, text, at);
    attribute !== undefined;
    attribute = matchAt(ATTRIBUTE, text, at)
  ) {
    const [whole, key = "", quoted = ""] = attribute;
    if (seen.has(key)) return `has the attribute ${shown(key)} twice at character ${at + 1}`;
    seen.add(key);
    const problem = attributeProblem(key, quoted.slice(1, -1), name) ?? textProblem(quoted);
    if (problem !== undefined) return problem;
    at += whole.length;
  }
  if (isRoot && !seen.has("xmlns")) return `must be a <div xmlns="${NAMESPACE}">`;
  const end = matchAt(TAG_END, text, at);
  return end === undefined ? notATag(tag) : { name, isClosed: end[1] === "/", end: at + end[0].length };
}

function attributeProblem(name: string, value: string, element: string): string | undefined {
  const lower = name.toLowerCase();
  if (name === "xmlns") return value === NAMESPACE ? undefined : `has the namespace ${JSON.stringify(shown(value))}`;
  if (lower.startsWith("on")) return `has the event attribute ${shown(name)}, which narratives may not have`;
  if (name.includes(":") && !/^xml(?:ns)?:/.test(name)) return `has the attribute ${shown(name)} of another namespace`;
  const isActive = URLS.has(lower) ? isActiveUrl(value, element) : lower === "style" && ACTIVE_STYLE.test(value);
  return isActive ? `has active content in the attribute ${shown(name)}` : undefined;
}

/** Schemes that run something; `data:` is for images only. */
function isActiveUrl(value: string, element: string): boolean {
  const head = value
    .slice(0, 300)
    .replaceAll(/&#(?:x([0-9a-f]+)|([0-9]+));/gi, (_, hex: string | undefined, decimal: string) => {
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : "";
    })
    // oxlint-disable-next-line no-control-regex -- browsers leave them out of a scheme
    .replaceAll(/[\u0000-\u0020]/g, "")
    .toLowerCase();
  if (head.startsWith("javascript:") || head.startsWith("vbscript:")) return true;
  return head.startsWith("data:") && !(element === "img" && head.startsWith("data:image/"));
}

/** What is wrong with character data: references that XML does not know without a DTD, and the end of a CDATA section. */
function textProblem(text: string): string | undefined {
  for (let at = text.indexOf("&"); at >= 0; at = text.indexOf("&", at + 1)) {
    const reference = matchAt(REFERENCE, text, at);
    if (reference === undefined) {
      const name = matchAt(NAMED, text, at)?.[0];
      return name === undefined
        ? "has a & that is not written as &amp;"
        : `has the entity ${name}, which XML does not know: write the character itself`;
    }
    const code = reference[1] === undefined ? 32 : Number(reference[1].replace("x", "0x"));
    if (!isXmlCharacter(code)) return `has the character reference ${reference[0]}, which XML does not allow`;
  }
  return text.includes("]]>") ? "has ]]> in its text" : undefined;
}

function isXmlCharacter(code: number): boolean {
  if (code < 32) return code === 9 || code === 10 || code === 13;
  return code < 0xd800 || (code > 0xdfff && code < 0xfffe) || (code > 0xffff && code <= 0x10ffff);
}

/** Index after a comment, -1 when it is none. What HTML would end elsewhere than XML is none either. */
function commentEnd(text: string, start: number): number {
  if (!text.startsWith("<!--", start) || text.startsWith(">", start + 4) || text.startsWith("->", start + 4)) return -1;
  const end = text.indexOf("--", start + 4);
  return end >= 0 && text.charCodeAt(end + 2) === GREATER ? end + 3 : -1;
}

function notATag(tag: number): string {
  return `has a < at character ${tag + 1} that begins neither a tag nor a comment`;
}

function shown(text: string | undefined): string {
  return text === undefined ? "" : text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function matchAt(expression: RegExp, text: string, at: number): RegExpExecArray | undefined {
  expression.lastIndex = at;
  return expression.exec(text) ?? undefined;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 32 || (code >= 9 && code <= 13); code = text.charCodeAt(++at));
  return at;
}

const EXCLAMATION = 33;
const SLASH = 47;
const GREATER = 62;
const ROOT = /^<div[\s/>]/;
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const ACTIVE_STYLE = /expression\s*\(|javascript\s*:|vbscript\s*:|behaviou?r\s*:|-moz-binding|@import/i;
/* Sticky: matched at lastIndex, which is set before every use. */
const START = /<([A-Za-z][\w.:-]*)/y;
const ATTRIBUTE = /[ \t\r\n]+([A-Za-z_:][\w.:-]*)[ \t\r\n]*=[ \t\r\n]*("[^"<]*"|'[^'<]*')/y;
const TAG_END = /[ \t\r\n]*(\/?)>/y;
const END_TAG = /<\/([A-Za-z][\w.:-]*)[ \t\r\n]*>/y;
const REFERENCE = /&(?:amp|lt|gt|quot|apos|#([0-9]{1,7}|x[0-9a-fA-F]{1,6}));/y;
const NAMED = /&[A-Za-z][A-Za-z0-9]{0,30};/y;

/**
 * The words of a narrative (R4 narrative.html): its XHTML without tags and comments, entities decoded. Elements that are
 * parts of a line do not end a word, others do. Takes time in proportion to the length, whatever the text.
 */
export function narrativeText(div: string): string {
  const parts: string[] = [];
  let from = 0;
  for (let open = div.indexOf("<"); open >= 0; open = div.indexOf("<", from)) {
    parts.push(div.slice(from, open));
    const isComment = div.startsWith("<!--", open);
    const close = div.indexOf(isComment ? "-->" : ">", open);
    if (close < 0) {
      from = div.length;
      break;
    }
    from = close + (isComment ? 3 : 1);
    if (!isComment && !INLINE.test(div.slice(open, Math.min(from, open + 12)))) parts.push(" ");
  }
  parts.push(div.slice(from));
  return parts.join("").replaceAll(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,7}));/g, decoded);
}

const INLINE =
  /^<\/?(?:a|abbr|acronym|b|big|cite|code|dfn|em|font|i|kbd|q|s|samp|small|span|strong|sub|sup|tt|u|var)[\s/>]/i;

function decoded(written: string, decimal?: string, hexadecimal?: string, name?: string): string {
  const code =
    name === undefined
      ? Number.parseInt(decimal ?? hexadecimal ?? "", decimal === undefined ? 16 : 10)
      : NAMED.get(name);
  return code === undefined || code > 0x10ffff ? written : String.fromCodePoint(code);
}

/** XHTML's entities, in runs of neighbouring characters. */
const RUNS: readonly (readonly [first: number, names: string])[] = [
  [34, "quot"],
  [38, "amp apos"],
  [60, "lt"],
  [62, "gt"],
  [
    160,
    "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro",
  ],
  [
    182,
    "para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil",
  ],
  [
    200,
    "Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave",
  ],
  [
    218,
    "Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml",
  ],
  [
    236,
    "igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute",
  ],
  [254, "thorn yuml"],
  [338, "OElig oelig"],
  [352, "Scaron scaron"],
  [376, "Yuml"],
  [402, "fnof"],
  [710, "circ"],
  [732, "tilde"],
  [913, "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho"],
  [931, "Sigma Tau Upsilon Phi Chi Psi Omega"],
  [
    945,
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau upsilon",
  ],
  [966, "phi chi psi omega"],
  [977, "thetasym upsih"],
  [982, "piv"],
  [8194, "ensp emsp"],
  [8201, "thinsp"],
  [8204, "zwnj zwj lrm rlm"],
  [8211, "ndash mdash"],
  [8216, "lsquo rsquo sbquo"],
  [8220, "ldquo rdquo bdquo"],
  [8224, "dagger Dagger bull"],
  [8230, "hellip"],
  [8240, "permil"],
  [8242, "prime Prime"],
  [8249, "lsaquo rsaquo"],
  [8254, "oline"],
  [8260, "frasl"],
  [8364, "euro"],
  [8465, "image"],
  [8472, "weierp"],
  [8476, "real"],
  [8482, "trade"],
  [8501, "alefsym"],
  [8592, "larr uarr rarr darr harr"],
  [8629, "crarr"],
  [8656, "lArr uArr rArr dArr hArr"],
  [8704, "forall"],
  [8706, "part exist"],
  [8709, "empty"],
  [8711, "nabla isin notin"],
  [8715, "ni"],
  [8719, "prod"],
  [8721, "sum minus"],
  [8727, "lowast"],
  [8730, "radic"],
  [8733, "prop infin"],
  [8736, "ang"],
  [8743, "and or cap cup int"],
  [8756, "there4"],
  [8764, "sim"],
  [8773, "cong"],
  [8776, "asymp"],
  [8800, "ne equiv"],
  [8804, "le ge"],
  [8834, "sub sup nsub"],
  [8838, "sube supe"],
  [8853, "oplus"],
  [8855, "otimes"],
  [8869, "perp"],
  [8901, "sdot"],
  [8968, "lceil rceil lfloor rfloor"],
  [9001, "lang rang"],
  [9674, "loz"],
  [9824, "spades"],
  [9827, "clubs"],
  [9829, "hearts diams"],
];

const NAMED: ReadonlyMap<string, number> = new Map(
  RUNS.flatMap(([first, names]) => names.split(" ").map((name, index): [string, number] => [name, first + index])),
);

/** What PostgreSQL's text type takes: no U+0000, no half of a surrogate pair (it becomes U+FFFD). */
export function storableText(text: string): string {
  return SUSPICIOUS.test(text) ? text.replaceAll("\0", "").replace(LONE_SURROGATES, "\uFFFD") : text;
}

const SUSPICIOUS = /[\0\ud800-\udfff]/;
const LONE_SURROGATES = /\p{Surrogate}/gu;

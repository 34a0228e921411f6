// A parser for the part of FHIRPath that R4's search parameters use. Everything else is refused by name.

const TOKEN = /\s*(?:([A-Za-z_%][A-Za-z0-9_]*)|'((?:[^'\\]|\\.)*)'|(\d+)|(!=|[().|=[\],]))/y;

/**
 * Parses an expression into nested arrays-free nodes:
 * `{ union: [...] }`, `{ and: [a, b] }`, `{ differs: [a, b] }`, `{ equals: [a, b] }`, `{ is: a, type }`, `{ as: a, type }`,
 * `{ of: a | undefined, member }`, `{ of: a, call, arguments }`, `{ of: a, index }`, `{ literal }`, `{ boolean }`.
 */
export function parse(text) {
  const tokens = scan(text);
  let at = 0;
  const peek = () => tokens[at]?.text;
  const take = (expected) => {
    const token = tokens[at];
    if (token === undefined || (expected !== undefined && token.text !== expected)) {
      throw new Error(`expected ${expected ?? "more"}, found ${token?.text ?? "the end"} in: ${text}`);
    }
    at++;
    return token;
  };

  const expression = () => {
    let left = comparison();
    while (peek() === "and") {
      take();
      left = { and: [left, comparison()] };
    }
    return left;
  };
  const comparison = () => {
    const left = union();
    if (peek() !== "=" && peek() !== "!=") return left;
    return take().text === "=" ? { equals: [left, union()] } : { differs: [left, union()] };
  };
  const union = () => {
    const parts = [typed()];
    while (peek() === "|") {
      take();
      parts.push(typed());
    }
    return parts.length === 1 ? parts[0] : { union: parts };
  };
  const typed = () => {
    const value = path();
    if (peek() !== "as" && peek() !== "is") return value;
    return take().text === "as" ? { as: value, type: take().text } : { is: value, type: take().text };
  };
  const path = () => {
    let value = primary();
    for (;;) {
      if (peek() === ".") {
        take();
        value = member(value);
      } else if (peek() === "[") {
        take();
        value = { of: value, index: Number(take().text) };
        take("]");
      } else {
        return value;
      }
    }
  };
  const primary = () => {
    const token = tokens[at];
    if (token?.text === "(") {
      take();
      const value = expression();
      take(")");
      return value;
    }
    if (token?.literal) return { literal: take().text };
    if (token?.text === "true" || token?.text === "false") return { boolean: take().text === "true" };
    return member(undefined);
  };
  const member = (of) => {
    const token = take();
    if (!token.name) throw new Error(`expected a name, found ${token.text} in: ${text}`);
    if (peek() !== "(") return { of, member: token.text };
    take("(");
    const given = [];
    while (peek() !== ")") {
      given.push(expression());
      if (peek() === ",") take();
    }
    take(")");
    return { of, call: token.text, arguments: given };
  };

  const result = expression();
  if (at !== tokens.length) throw new Error(`unexpected ${peek()} in: ${text}`);
  return result;
}

function scan(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`cannot read ${text.slice(from)} in: ${text}`);
    const [, name, literal, number, sign] = match;
    tokens.push({ text: name ?? literal ?? number ?? sign, name: name !== undefined, literal: literal !== undefined });
  }
  return tokens;
}

/** An expression as parsed: what {@link parseExpression} understands of FHIRPath, and nothing else. */
export type Expression =
  | { kind: "union"; parts: readonly Expression[] }
  | { kind: "and" | "equals" | "differs"; left: Expression; right: Expression }
  | { kind: "as" | "is"; of: Expression; type: string }
  /** A name; `of` is undefined where the path begins. */
  | { kind: "member"; of: Expression | undefined; name: string }
  | { kind: "call"; of: Expression | undefined; name: string; given: readonly Expression[] }
  | { kind: "index"; of: Expression; index: number }
  | { kind: "text"; text: string }
  | { kind: "boolean"; value: boolean };

/** An expression that is not understood; the message names the part. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
}

/** Expressions of search parameters are short; a parser that descends must not be sent too deep. */
const MAX_LENGTH = 4000;
const MAX_DEPTH = 50;

/** Parses the part of FHIRPath that search parameters use. Throws {@link ExpressionError} on everything else. */
export function parseExpression(text: string): Expression {
  if (text.length > MAX_LENGTH) throw new ExpressionError(`an expression has at most ${MAX_LENGTH} characters`);
  return new Parser(text).parse();
}

interface Token {
  kind: "name" | "text" | "number" | "sign";
  text: string;
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = scan(source);
  }

  parse(): Expression {
    const result = this.#conjunction();
    const left = this.#tokens[this.#at];
    if (left !== undefined) throw this.#error(`unexpected ${left.text}`);
    return result;
  }

  #conjunction(): Expression {
    if (++this.#depth > MAX_DEPTH) throw this.#error("too many parentheses");
    let left = this.#comparison();
    while (this.#takes("name", "and")) left = { kind: "and", left, right: this.#comparison() };
    this.#depth--;
    return left;
  }

  #comparison(): Expression {
    const left = this.#union();
    if (this.#takes("sign", "=")) return { kind: "equals", left, right: this.#union() };
    if (this.#takes("sign", "!=")) return { kind: "differs", left, right: this.#union() };
    return left;
  }

  #union(): Expression {
    const first = this.#typed();
    const parts = [first];
    while (this.#takes("sign", "|")) parts.push(this.#typed());
    return parts.length === 1 ? first : { kind: "union", parts };
  }

  #typed(): Expression {
    const of = this.#path();
    if (this.#takes("name", "as")) return { kind: "as", of, type: this.#name() };
    if (this.#takes("name", "is")) return { kind: "is", of, type: this.#name() };
    return of;
  }

  #path(): Expression {
    let value = this.#primary();
    for (;;) {
      if (this.#takes("sign", ".")) {
        value = this.#member(value);
      } else if (this.#takes("sign", "[")) {
        const index = this.#tokens[this.#at++];
        if (index?.kind !== "number") throw this.#error("expected a number after [");
        value = { kind: "index", of: value, index: Number(index.text) };
        this.#expect("]");
      } else {
        return value;
      }
    }
  }

  #primary(): Expression {
    if (this.#takes("sign", "(")) {
      const value = this.#conjunction();
      this.#expect(")");
      return value;
    }
    const token = this.#tokens[this.#at];
    if (token?.kind === "text") {
      this.#at++;
      return { kind: "text", text: token.text };
    }
    if (token?.kind === "name" && (token.text === "true" || token.text === "false")) {
      this.#at++;
      return { kind: "boolean", value: token.text === "true" };
    }
    return this.#member(undefined);
  }

  #member(of: Expression | undefined): Expression {
    const name = this.#name();
    if (!this.#takes("sign", "(")) return { kind: "member", of, name };
    const given: Expression[] = [];
    while (!this.#takes("sign", ")")) {
      if (given.length > 0) this.#expect(",");
      given.push(this.#conjunction());
    }
    return { kind: "call", of, name, given };
  }

  #name(): string {
    const token = this.#tokens[this.#at++];
    if (token?.kind !== "name") throw this.#error(`expected a name, found ${token?.text ?? "the end"}`);
    return token.text;
  }

  #takes(kind: Token["kind"], text: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== kind || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #expect(sign: string): void {
    if (this.#takes("sign", sign)) return;
    throw this.#error(`expected ${sign}, found ${this.#tokens[this.#at]?.text ?? "the end"}`);
  }

  #error(what: string): ExpressionError {
    return new ExpressionError(`${what} in: ${this.#source}`);
  }
}

const TOKEN = /\s*(?:([A-Za-z_%][A-Za-z0-9_]*)|'((?:[^'\\]|\\.)*)'|(\d{1,9})|(!=|[().|=[\],]))/y;

function scan(source: string): Token[] {
  const tokens: Token[] = [];
  const end = source.trimEnd().length;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    const [, name, text, number, sign] = TOKEN.exec(source) ?? [];
    if (name !== undefined) tokens.push({ kind: "name", text: name });
    else if (text !== undefined) tokens.push({ kind: "text", text: unescaped(text, source) });
    else if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign });
    else throw new ExpressionError(`cannot read ${source.slice(at).trim().slice(0, 60)} in: ${source}`);
  }
  return tokens;
}

/** The escapes of FHIRPath that stand for a character as it is. */
function unescaped(text: string, source: string): string {
  return text.replaceAll(/\\(.)/gs, (_, character: string) => {
    if (!"'\"`\\/".includes(character)) throw new ExpressionError(`\\${character} is not understood in: ${source}`);
    return character;
  });
}

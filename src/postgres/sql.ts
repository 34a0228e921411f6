/**
 * A SQL fragment builder that knows parameters only: text comes from template literals in this program, everything
 * else becomes `$n`. There is no way to put a string into a statement's text.
 */

/** A piece of SQL with its parameters, not numbered yet. Made by {@link sql} and {@link join} only. */
export interface Sql {
  readonly texts: readonly string[];
  readonly values: readonly SqlParameter[];
}

/** What may be bound to a parameter. Arrays are PostgreSQL arrays. */
export type SqlParameter =
  | string
  | number
  | bigint
  | boolean
  | readonly string[]
  | readonly number[]
  | readonly bigint[]
  | null;

/** A statement ready for the driver. */
export interface Statement {
  text: string;
  values: SqlParameter[];
}

/** Template tag: interpolated fragments are spliced in, any other value becomes a parameter. */
export function sql(strings: TemplateStringsArray, ...values: readonly (Sql | SqlParameter)[]): Sql {
  const texts: string[] = [strings[0] ?? ""];
  const bound: SqlParameter[] = [];
  for (const [index, value] of values.entries()) {
    if (isSql(value)) {
      texts[texts.length - 1] += value.texts[0] ?? "";
      texts.push(...value.texts.slice(1));
      bound.push(...value.values);
    } else {
      bound.push(value);
      texts.push("");
    }
    texts[texts.length - 1] += strings[index + 1] ?? "";
  }
  return { texts, values: bound };
}

/** The fragments one after another with `separator` between them; `empty` when there are none. */
export function join(fragments: readonly Sql[], separator: " and " | " or ", empty: Sql): Sql {
  const [first, ...rest] = fragments;
  if (first === undefined) return empty;
  const texts = [...first.texts];
  const values = [...first.values];
  for (const fragment of rest) {
    texts[texts.length - 1] += separator + (fragment.texts[0] ?? "");
    texts.push(...fragment.texts.slice(1));
    values.push(...fragment.values);
  }
  return { texts, values };
}

/** The fragments with commas between them; there must be one. */
export function commas(fragments: readonly Sql[]): Sql {
  return fragments.reduce((left, right) => sql`${left}, ${right}`);
}

/** All of the conditions; true when there are none. */
export function all(conditions: readonly Sql[]): Sql {
  return conditions.length === 1 ? join(conditions, " and ", TRUE) : sql`(${join(conditions, " and ", TRUE)})`;
}

/** One of the conditions; false when there are none. */
export function any(conditions: readonly Sql[]): Sql {
  return conditions.length === 1 ? join(conditions, " or ", FALSE) : sql`(${join(conditions, " or ", FALSE)})`;
}

/** Numbers the parameters. */
export function statement(fragment: Sql): Statement {
  let text = fragment.texts[0] ?? "";
  for (const [index, part] of fragment.texts.slice(1).entries()) text += `$${index + 1}${part}`;
  return { text, values: [...fragment.values] };
}

function isSql(value: Sql | SqlParameter): value is Sql {
  return typeof value === "object" && value !== null && "texts" in value;
}

const TRUE: Sql = { texts: ["true"], values: [] };
const FALSE: Sql = { texts: ["false"], values: [] };

import { SYSTEMS } from "./datatypes.ts";
import { PREFIXES, type Prefix } from "./dates.ts";
import { decimalText } from "./numbers.ts";
import type { Random } from "./random.ts";
import type { ReferenceValue } from "./references.ts";
import { BASE, type Operand, type TokenValue, type Value } from "./values.ts";

/** What can be asked of a parameter: values with the modifier they come with. */
export interface Question {
  readonly modifier?: string;
  readonly operands: readonly Operand[];
}

const [SYSTEM = "", OTHER_SYSTEM = ""] = SYSTEMS;

/** Stored by the tests: a value set, and the hierarchy of a code system. */
export const LISTED: { readonly url: string; readonly members: readonly Operand[] } = {
  url: "http://sets.example/listed",
  members: [
    { kind: "token", system: SYSTEM, code: "red" },
    { kind: "token", system: SYSTEM, code: "c-7" },
    { kind: "token", system: OTHER_SYSTEM },
  ],
};
/** From the top down. */
export const HIERARCHY: { readonly system: string; readonly codes: readonly string[] } = {
  system: SYSTEM,
  codes: ["red", "green", "Green"],
};

const PREFIX: readonly (Prefix | "")[] = ["", "", ...PREFIXES];
const DATES = [
  "2012",
  "2012-02",
  "2012-03",
  "2012-03-14",
  "2012-03-14T09:26Z",
  "2012-03-14T09:26:53Z",
  "2012-03-14T10:26:53+01:00",
  "2012-03-14T09:26:53.250Z",
  "2012-03-14T09:26:53.2500001",
  "2011-06-30",
  "2012-12-31",
  "2013",
  "1850",
  "2030-01-01",
];
const NUMBERS = [
  "7",
  "7.0",
  "7.00",
  "7.5",
  "7.01",
  "6.9",
  "-3",
  "0",
  "2e0",
  "4e-3",
  "0.004",
  "1000",
  "1e3",
  "1.0e3",
  "6.5",
  "-4",
  "8",
  "1e21",
  "3",
  "7.5e-3",
];
const UNITS: readonly { system?: string; code?: string }[] = [
  {},
  {},
  { system: "http://unitsofmeasure.org", code: "mg" },
  { system: "http://unitsofmeasure.org", code: "g" },
  { system: "http://unitsofmeasure.org", code: "kg" },
  { system: "http://unitsofmeasure.org", code: "Cel" },
  { system: "http://unitsofmeasure.org", code: "K" },
  { code: "mg" },
  { code: "milligram" },
  { code: "{score}" },
  { system: "urn:x:a" },
  { system: "urn:x:a", code: "drop" },
  { system: "urn:iso:std:iso:4217", code: "EUR" },
  { code: "NOK" },
];

/** A question for a parameter of this type, about one of the values that are there or something close to it. */
export function questionAbout(random: Random, type: string, values: readonly Value[]): Question {
  const modifier = modifierFor(random, type, values);
  const count = random.chance(0.25) ? 2 + random.below(2) : 1;
  const operands = Array.from({ length: count }, () => operandFor(random, type, modifier, values));
  const [first] = operands;
  // All values of one parameter have the modifier in common, and `:Type` is one.
  if (
    first?.kind === "reference" &&
    operands.some((each) => each.kind === "reference" && each.ofType !== first.ofType)
  ) {
    return { operands: [first] };
  }
  return modifier === undefined ? { operands } : { modifier, operands };
}

const MODIFIERS: Readonly<Record<string, readonly (string | undefined)[]>> = {
  token: [undefined, undefined, undefined, "not", "not", "text", "of-type", "in", "not-in", "below", "above"],
  string: [undefined, undefined, "exact", "contains"],
  uri: [undefined, "above", "below"],
  reference: [undefined, undefined, undefined, "identifier"],
};

function modifierFor(random: Random, type: string, values: readonly Value[]): string | undefined {
  const modifier = random.pick(MODIFIERS[type] ?? [undefined]);
  const isPossible =
    (modifier !== "identifier" || !values.some(({ kind }) => kind === "canonical reference")) &&
    (modifier !== "text" || values.some((value) => value.kind === "token" && value.texts.length > 0)) &&
    (modifier !== "of-type" || values.some((value) => value.kind === "token" && value.types.length > 0));
  return isPossible ? modifier : undefined;
}

/** One value of a question. */
export function operandFor(
  random: Random,
  type: string,
  modifier: string | undefined,
  values: readonly Value[],
): Operand {
  const value = values.length === 0 ? undefined : random.pick(values);
  switch (type) {
    case "token":
      return tokenOperand(random, modifier, value?.kind === "token" ? value : undefined, values);
    case "string":
      return textOperand(random, modifier, value?.kind === "string" ? value.texts : []);
    case "uri":
      return uriOperand(random, modifier, value?.kind === "uri" || value?.kind === "canonical" ? value.texts : []);
    case "date":
      return { kind: "date", prefix: random.pick(PREFIX), text: dateFor(random, value) };
    case "number":
      return { kind: "quantity", prefix: random.pick(PREFIX), number: numberFor(random, value) };
    case "quantity":
      return {
        kind: "quantity",
        prefix: random.pick(PREFIX),
        number: numberFor(random, value),
        ...unitFor(random, value),
      };
    default:
      if (value?.kind === "canonical reference") {
        return { kind: "reference", text: random.pick([...value.texts, value.url]) };
      }
      return referenceOperand(random, modifier, value?.kind === "reference" ? value : undefined);
  }
}

/** A date of the list, or the beginning or end of a value to some precision. */
function dateFor(random: Random, value: Value | undefined): string {
  if (value?.kind !== "date" || random.chance(0.5)) return random.pick(DATES);
  const ticks = random.chance(0.5) ? value.low : value.high;
  if (ticks < -(10n ** 18n) || ticks > 10n ** 18n) return random.pick(DATES);
  const text = new Date(Number(ticks / 10_000n)).toISOString();
  return random.pick([text.slice(0, 4), text.slice(0, 7), text.slice(0, 10), `${text.slice(0, 19)}Z`, text]);
}

/** A number of the list, or one of a value's, perhaps to fewer or more places. */
function numberFor(random: Random, value: Value | undefined): string {
  if (value?.kind !== "quantity" || random.chance(0.5)) return random.pick(NUMBERS);
  const text = decimalText(random.chance(0.5) ? value.low : value.high);
  if (text === undefined || text.length > 20) return random.pick(NUMBERS);
  return random.pick([text, text, text.includes(".") ? `${text}0` : `${text}.0`, text.replace(/(?<=\d)\.?\d$/, "")]);
}

function unitFor(random: Random, value: Value | undefined): { system?: string; code?: string } {
  if (value?.kind !== "quantity" || random.chance(0.5)) return random.pick(UNITS);
  const { system, code } = random.pick(value.units);
  return {
    ...(system === undefined || random.chance(0.3) ? {} : { system }),
    ...(code === undefined || random.chance(0.3) ? {} : { code }),
  };
}

function tokenOperand(
  random: Random,
  modifier: string | undefined,
  value: TokenValue | undefined,
  values: readonly Value[],
): Operand {
  if (modifier === "in" || modifier === "not-in") return { kind: "set", text: LISTED.url, members: LISTED.members };
  if (modifier === "above" || modifier === "below") {
    const { system, codes } = HIERARCHY;
    const at = random.below(codes.length);
    const members = modifier === "below" ? codes.slice(at) : codes.slice(0, at + 1);
    return {
      kind: "set",
      text: `${system}|${codes[at] ?? ""}`,
      isToken: true,
      members: members.map((code) => ({ kind: "token", system, code })),
    };
  }
  if (modifier === "text") {
    const texts = values.flatMap((each) => (each.kind === "token" ? each.texts : []));
    return { kind: "text", text: partOf(random, random.pick(texts), false) };
  }
  if (modifier === "of-type") {
    const types = values.flatMap((each) => (each.kind === "token" ? each.types : [])).filter(({ system }) => system);
    const found = types.length === 0 ? undefined : random.pick(types);
    const { system = "http://codes.example/a", code = "red", value: id = "green" } = found ?? {};
    return { kind: "ofType", system, code, value: random.chance(0.2) ? "other" : id };
  }
  const coding = value === undefined || value.codes.length === 0 ? undefined : random.pick(value.codes);
  const code = coding?.code ?? "red";
  const other: Operand = { kind: "token", code: random.chance(0.5) ? code.toUpperCase() : code.slice(0, -1) || "x" };
  // A system is refused where no value can have one.
  const systems = values.flatMap((each) => (each.kind === "token" ? each.codes : []));
  if (!systems.some((each) => each.system !== undefined || (each.implied ?? []).length > 0)) {
    return random.pick<Operand>([{ kind: "token", code }, { kind: "token", system: "", code }, other]);
  }
  const system = coding?.system ?? coding?.implied?.[0] ?? random.pick(SYSTEMS);
  return random.pick<Operand>([
    { kind: "token", code },
    { kind: "token", code },
    { kind: "token", system, code },
    { kind: "token", system, code },
    { kind: "token", system: "", code },
    { kind: "token", system },
    { kind: "token", system: random.pick(SYSTEMS), code },
    other,
  ]);
}

/** A text, or some of it, in another case perhaps. */
function partOf(random: Random, text: string, anywhere: boolean): string {
  const characters = Array.from(text);
  const start = anywhere ? random.below(characters.length) : 0;
  const end = start + 1 + random.below(characters.length - start);
  // Lone accents and punctuation are no text to search for; spaces at the ends are not this test's subject.
  const part = characters.slice(start, end).join("").trim();
  if (/^[\p{M}\p{P}\s]*$/u.test(part)) return "a";
  return random.pick([part, part, part.toUpperCase(), part.toLowerCase()]);
}

function textOperand(random: Random, modifier: string | undefined, texts: readonly string[]): Operand {
  const text = texts.length === 0 ? "Ida" : random.pick(texts);
  if (modifier === "exact") {
    return { kind: "text", text: random.pick([text, text, text.toLowerCase(), partOf(random, text, false)]) };
  }
  const part = partOf(random, text, modifier === "contains");
  return { kind: "text", text: random.pick([text, part, part, `${text}Not`]) };
}

function uriOperand(random: Random, modifier: string | undefined, uris: readonly string[]): Operand {
  const uri = uris.length === 0 ? "http://lib.example/vs" : random.pick(uris);
  if (modifier === "above")
    return { kind: "text", text: random.pick([uri, `${uri}/deep`, `${uri}-1-5`, uri.slice(0, -1)]) };
  if (modifier === "below") return { kind: "text", text: uri.slice(0, 3 + random.below(uri.length - 2)) };
  return { kind: "text", text: random.pick([uri, uri, uri.toUpperCase(), `${uri}/`, uri.slice(0, -1)]) };
}

function referenceOperand(random: Random, modifier: string | undefined, value: ReferenceValue | undefined): Operand {
  if (modifier === "identifier") {
    const { system = SYSTEMS[0] ?? "", code = "red" } = value?.identifier ?? {};
    return random.pick<Operand>([
      { kind: "token", code },
      { kind: "token", system, code },
      { kind: "token", system: "", code },
      { kind: "token", system },
    ]);
  }
  const type = value?.type ?? "Patient";
  const id = value?.id ?? "r1";
  const typed: Operand[] = [
    { kind: "reference", text: `${type}/${id}` },
    { kind: "reference", text: `${type}/${id}` },
    { kind: "reference", text: `${BASE}/${type}/${id}` },
    { kind: "reference", text: `${type}/${id}/_history/3` },
    { kind: "reference", text: id },
    { kind: "reference", text: id, ofType: type },
    { kind: "reference", text: `${type}/${id}`, ofType: type },
    { kind: "reference", text: `${type}/${id.slice(0, -1)}` },
    { kind: "reference", text: `${type.toLowerCase()}/${id}` },
    { kind: "reference", text: `https://other.example/fhir/${type}/${id}` },
  ];
  if (value?.text !== undefined && random.chance(0.7)) {
    const isUrl = value.text.startsWith("http");
    return { kind: "reference", text: isUrl && random.chance(0.3) ? `${value.text}/_history/1` : value.text };
  }
  return random.pick(typed);
}

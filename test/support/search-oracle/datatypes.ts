import type { Random } from "./random.ts";
import { BASE } from "./values.ts";

/** Values that come up again and again, in all forms that an element may have, so that searches find several resources. */

export const SYSTEMS: readonly string[] = ["http://codes.example/a", "http://codes.example/b|x", "urn:oid:1.2.3"];
const CODES = ["red", "green", "Green", "c-7", "a,b", "x|y", "p$q", String.raw`back\slash`];
const DISPLAYS = ["Red", "Grün und Blau", "Red Ink", "rose, dark", "Été"];
const WORDS = [
  "Ida",
  "Åse",
  "Noël",
  "NOEL",
  "Noe\u0308l",
  "Rikard,Noel",
  "Straße",
  "o'Neil",
  "van der  Berg",
  "Carreño-Quiñones",
  "St. Louis",
  "Łukasz Đæø",
  "Mary-Ann",
  "50%_x",
  "İstanbul",
  "日本 語",
];
const LONG = `Heather ${"and moor ".repeat(40)}quartz`;
const DAYS = ["2011-06-30", "2012", "2012-03", "2012-03-14", "2012-12-31", "1899-01-01", "2013-01-01"];
const TIMES = [
  "2012-03-14T09:26:53Z",
  "2012-03-14T09:26:53.250Z",
  "2012-03-14T10:26:53+01:00",
  "2012-03-14T23:30:00-05:00",
  "2012-03-14T09:26:53.2500001Z",
  "2012-12-31T23:59:59.999Z",
];
/** R4 wants a zone; times without one are taken, and are UTC (contract 10.3). */
const UNZONED = "2012-03-14T09:26:53";
const URIS = [
  "http://lib.example/vs",
  "http://lib.example/vs/colour",
  "http://lib.EXAMPLE/vs/colour",
  "http://lab.example/t#77",
  "http://lab.example/t#77-1",
  "urn:oid:1.2.3.4",
  "urn:uuid:c757873d-ec9a-4326-a141-556043521001",
];
const CANONICALS = [
  "http://canon.example/q1",
  "http://canon.example/q1|1.0",
  "http://canon.example/q1|2.0",
  "http://canon.example/q2",
  // Those of resources here: see URIS and WORDS, of which their url and version are.
  "http://lib.example/vs",
  "http://lib.example/vs|Ida",
  "http://lab.example/t#77|Noël",
  "urn:oid:1.2.3.4",
  "Questionnaire/r1",
  "Library/r2|Ida",
  `${BASE}/Questionnaire/r2`,
  "https://other.example/fhir/Library/r1",
];
const UCUM = "http://unitsofmeasure.org";
const UNITS = [
  { unit: "mg", system: UCUM, code: "mg" },
  { unit: "milligram", system: UCUM, code: "mg" },
  { system: UCUM, code: "g" },
  { unit: "Cel", system: UCUM, code: "Cel" },
  { system: UCUM, code: "K" },
  { system: UCUM, code: "{score}" },
  { unit: "mg" },
  { unit: "drops", system: "urn:x:a", code: "drop" },
  { code: "mg" },
  {},
];
const NUMBERS = [0, 2, 7, 7.5, -3, 0.004, 1000, 7000, 280.15, 0.0075, 1e21];

export function date(random: Random): string {
  return random.pick(DAYS);
}

export function instant(random: Random): string {
  return random.pick(TIMES);
}

export function dateTime(random: Random): string {
  return random.chance(0.1) ? UNZONED : random.pick(random.chance(0.5) ? DAYS : TIMES);
}

export function words(random: Random): string {
  return random.chance(0.04) ? LONG : random.pick(WORDS);
}

export function uri(random: Random): string {
  return random.pick(URIS);
}

export function canonical(random: Random): string {
  return random.pick(CANONICALS);
}

export function code(random: Random): string {
  return random.pick(CODES.slice(0, 4));
}

export function number(random: Random, whole: boolean): number {
  return whole ? 1 + random.below(9) : random.pick(NUMBERS);
}

export function coding(random: Random): object {
  return {
    ...(random.chance(0.7) ? { system: random.pick(SYSTEMS) } : {}),
    ...(random.chance(0.9) ? { code: random.pick(CODES) } : {}),
    ...(random.chance(0.4) ? { display: random.pick(DISPLAYS) } : {}),
  };
}

export function concept(random: Random): object {
  const codings = Array.from({ length: random.below(3) }, () => coding(random));
  return {
    ...(codings.length === 0 ? {} : { coding: codings }),
    ...(codings.length === 0 || random.chance(0.4) ? { text: random.pick(DISPLAYS) } : {}),
  };
}

export function identifier(random: Random): object {
  return {
    ...(random.chance(0.7) ? { system: random.pick(SYSTEMS) } : {}),
    ...(random.chance(0.9) ? { value: random.pick(CODES) } : {}),
    ...(random.chance(0.5) ? { type: concept(random) } : {}),
  };
}

export function period(random: Random): object {
  const [first = "", second = ""] = [dateTime(random), dateTime(random)].toSorted();
  return random.pick([{ start: first, end: second }, { start: first }, { end: second }, { start: first, end: second }]);
}

export function timing(random: Random): object {
  return {
    ...(random.chance(0.5) ? { event: [dateTime(random), dateTime(random)] } : {}),
    repeat: random.chance(0.6) ? { boundsPeriod: period(random), frequency: 2 } : { count: 3 },
  };
}

export function quantity(random: Random): object {
  return {
    ...(random.chance(0.95) ? { value: number(random, false) } : {}),
    ...(random.chance(0.2) ? { comparator: random.pick(["<", "<=", ">", ">="]) } : {}),
    ...random.pick(UNITS),
  };
}

export function range(random: Random): object {
  const unit = random.pick(UNITS);
  const [low = 0, high = 0] = [number(random, false), number(random, false)].toSorted((a, b) => a - b);
  return random.pick([
    { low: { value: low, ...unit }, high: { value: high, ...unit } },
    { low: { value: low, ...unit } },
    { high: { value: high, ...unit } },
  ]);
}

export function samples(random: Random): object {
  return {
    origin: { value: random.below(3), ...random.pick(UNITS) },
    period: 10,
    dimensions: 1,
    ...(random.chance(0.5) ? { factor: 2 } : {}),
    ...(random.chance(0.9) ? { data: random.pick(["1 -2.5 3", "E 4 U", "L 4 E", "E", "7 7"]) } : {}),
  };
}

export function humanName(random: Random): object {
  return {
    ...(random.chance(0.8) ? { family: words(random) } : {}),
    ...(random.chance(0.8) ? { given: [words(random), words(random)] } : {}),
    ...(random.chance(0.3) ? { text: words(random), prefix: [words(random)], suffix: ["jr."] } : {}),
    use: "official",
  };
}

export function address(random: Random): object {
  const names = ["city", "state", "district", "postalCode", "country", "text"].filter(() => random.chance(0.4));
  return {
    ...Object.fromEntries(names.map((name) => [name, words(random)])),
    ...(random.chance(0.5) ? { line: [words(random), words(random)] } : {}),
    use: random.pick(["home", "work", "old"]),
  };
}

export function contactPoint(random: Random): object {
  return {
    system: random.pick(["phone", "email", "fax"]),
    ...(random.chance(0.9) ? { value: random.pick(["555-01", "Ann@b.example", "+47 555"]) } : {}),
  };
}

/** Ids are the same in all types: who mixes up the types is found out. */
export function idOf(number: number): string {
  return `r${number}`;
}

/** References in all forms; `targets` are the types that the element may point to, of each of which there are `count` resources. */
export function reference(random: Random, targets: readonly string[], count: number): object {
  const type = random.pick(targets);
  const id = idOf(random.below(count + 1));
  const other = { system: random.pick(SYSTEMS), value: random.pick(CODES) };
  const form = random.below(23);
  if (form < 10) return { reference: `${type}/${id}` };
  const forms: object[] = [
    { reference: `${type}/${id}/_history/2`, display: "version" },
    { reference: `${BASE}/${type}/${id}` },
    { reference: `https://other.example/fhir/${type}/${id}` },
    { reference: `https://other.example/fhir/${type}/${id}/_history/1` },
    { reference: id },
    { reference: id, type },
    { reference: "#inside" },
    { reference: "#inside" },
    { reference: "#other" },
    { reference: "#" },
    { reference: "urn:uuid:c757873d-ec9a-4326-a141-556043521001", ...(random.chance(0.5) ? { type } : {}) },
    { identifier: random.pick([other, { value: other.value }, { system: other.system }]), type },
    { reference: `${type}/${id}`, identifier: other },
  ];
  return forms[form - 10] ?? { display: "somebody" };
}

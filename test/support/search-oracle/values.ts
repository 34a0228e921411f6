import { dateOf, isDate, periodOf, timingOf, type DateOperand, type DateValue } from "./dates.ts";
import { systemsAt, targetsAt, type Definition } from "./definitions.ts";
import { isQuantity, quantityOf, type QuantityOperand, type QuantityValue } from "./numbers.ts";
import { readReference, refersTo, type ReferenceOperand, type ReferenceValue } from "./references.ts";
import type { Node } from "./select.ts";

/** An element that a token parameter can search: its codes, and what is compared besides. */
export interface TokenValue {
  readonly kind: "token";
  readonly codes: readonly Coding[];
  /** For `:text`. */
  readonly texts: readonly string[];
  /** Codes of an Identifier's type, and its value, for `:of-type`. */
  readonly types: readonly { readonly system: string | undefined; readonly code: string; readonly value: string }[];
}

interface Coding {
  readonly system: string | undefined;
  readonly code: string | undefined;
  /** The code systems of the binding: the code can be asked for with one of them and with none. */
  readonly implied?: readonly string[];
  /** It is found whatever its case. */
  readonly isCaseless?: boolean;
}

interface TextValue {
  readonly kind: "string" | "uri" | "canonical";
  readonly texts: readonly string[];
  /** Those of the texts that are family names. */
  readonly families?: readonly string[];
}

/** A reference by canonical URL, or by a relative one, which is a place. */
export interface CanonicalValue {
  readonly kind: "canonical reference";
  readonly texts: readonly string[];
  /** Those of this server are relative. */
  readonly url: string;
  readonly version: string | undefined;
}

/** What an element is compared by. `nothing`: the element is there, and has no value that could be compared. */
export type Value =
  | TokenValue
  | TextValue
  | DateValue
  | QuantityValue
  | ReferenceValue
  | CanonicalValue
  | { readonly kind: "nothing" };

/** An asked value. */
export type Operand =
  | { readonly kind: "token"; readonly system?: string; readonly code?: string }
  | { readonly kind: "ofType"; readonly system: string; readonly code: string; readonly value: string }
  | { readonly kind: "text"; readonly text: string }
  /** A value set or a part of a hierarchy, and the tokens it stands for. */
  | { readonly kind: "set"; readonly text: string; readonly isToken?: boolean; readonly members: readonly Operand[] }
  | DateOperand
  | QuantityOperand
  | ReferenceOperand
  | { readonly kind: "composite"; readonly parts: readonly Operand[] };

/** This server's base. */
export const BASE = "http://stoker.test/fhir";

type Members = Readonly<Record<string, unknown>>;

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function texts(values: readonly unknown[]): string[] {
  return values.flat().filter((value): value is string => text(value) !== undefined);
}

/** The value of an element for a parameter of this type; undefined when such parameters do not search its type. */
export function valueOf(parameter: Pick<Definition, "type" | "target">, node: Node): Value | undefined {
  const { value, type } = node;
  const members = (typeof value === "object" && value !== null ? value : {}) as Members;
  switch (parameter.type) {
    case "token":
      return tokenOf(node, members);
    case "string":
      return stringOf(node, members);
    case "uri":
      return { kind: type === "canonical" ? "canonical" : "uri", texts: versions(String(value), type === "canonical") };
    case "date":
      if (type === "Period") return periodOf(members);
      if (type === "Timing") return timingOf(members);
      return ["date", "dateTime", "instant"].includes(type) ? dateOf(String(value)) : undefined;
    case "number":
    case "quantity":
      return numberOf(parameter.type, type, value);
    case "reference":
      return referenceOf(parameter.target, node, members);
    default:
      throw new Error(`no values of ${parameter.type}`);
  }
}

function numberOf(parameter: string, type: string, value: unknown): Value | undefined {
  const kinds = parameter === "number" ? NUMBERS : QUANTITIES;
  return kinds.has(type) ? (quantityOf(type, value) ?? { kind: "nothing" }) : undefined;
}

const NUMBERS: ReadonlySet<string> = new Set(["decimal", "integer", "positiveInt", "unsignedInt", "Range"]);
const QUANTITIES: ReadonlySet<string> = new Set(
  "Quantity,Age,Duration,Count,Distance,SimpleQuantity,Money,Range,SampledData".split(","),
);

function token(codes: readonly Coding[], shown: readonly unknown[] = [], types: TokenValue["types"] = []): TokenValue {
  return { kind: "token", codes, texts: texts(shown), types };
}

function tokenOf({ type, path, value }: Node, members: Members): Value | undefined {
  const coding = ({ system, code }: Members): Coding => ({ system: text(system), code: text(code) });
  switch (type) {
    case "CodeableConcept": {
      const codings = (members["coding"] ?? []) as Members[];
      return token(codings.map(coding), [members["text"], ...codings.map(({ display }) => display)]);
    }
    case "Coding":
      return token([coding(members)], [members["display"]]);
    case "Identifier": {
      const { system, type: kind = {} } = members;
      const { coding: codings = [], text: shown } = kind as { coding?: Members[]; text?: unknown };
      const id = text(members["value"]);
      const types = codings.flatMap((each) => {
        const { system: of, code } = coding(each);
        return code === undefined || id === undefined ? [] : [{ system: of, code, value: id }];
      });
      return token([{ system: text(system), code: id }], [shown], types);
    }
    case "ContactPoint":
      return token([{ system: undefined, code: text(members["value"]), isCaseless: true }]);
    case "code":
    case "boolean":
    case "id":
    case "string":
    case "uri":
      return token([primitiveOf(type, String(value), path)]);
    default:
      return undefined;
  }
}

/** Strings are found whatever their case, and so are media types. */
function primitiveOf(type: string, code: string, path: string): Coding {
  const implied = type === "code" ? systemsAt(path, code) : [];
  return { system: undefined, code, implied, isCaseless: type === "string" || implied.includes("urn:ietf:bcp:13") };
}

function stringOf({ type, value, path }: Node, members: Members): Value | undefined {
  const parts = PARTS[type];
  if (parts !== undefined) {
    const families = type === "HumanName" ? texts([members["family"]]) : [];
    return { kind: "string", texts: texts(parts.map((part) => members[part])), families };
  }
  if (!["string", "markdown", "code", "id"].includes(type)) return undefined;
  return { kind: "string", texts: texts([value]), families: path.endsWith(".family") ? texts([value]) : [] };
}

const PARTS: Readonly<Record<string, readonly string[]>> = {
  HumanName: ["family", "given", "prefix", "suffix", "text"],
  Address: ["line", "city", "district", "state", "postalCode", "country", "text"],
};

function versions(uri: string, canonical: boolean): string[] {
  const bar = canonical ? uri.indexOf("|") : -1;
  return bar > 0 ? [uri, uri.slice(0, bar)] : [uri];
}

function referenceOf(targets: readonly string[], node: Node, members: Members): Value | undefined {
  const { type, value, path } = node;
  if (typeof value === "string") return canonicalOf(value);
  const { resourceType, id } = members;
  // Bundle's first entry is in the place of a reference.
  if (typeof resourceType === "string") {
    return targets.includes(resourceType)
      ? readReference({ reference: `${resourceType}/${String(id)}` }, [], BASE)
      : undefined;
  }
  if (type !== "Reference") return undefined;
  const possible = targetsAt(path);
  const both = possible?.filter((type) => targets.length === 0 || targets.includes(type)) ?? targets;
  return readReference(members, both, BASE);
}

/** Letters that have no accent to be left out, and what is written for them; those of the words that are tried. */
const WRITTEN: Readonly<Record<string, string>> = { ł: "l", ø: "o", đ: "d", æ: "ae", ı: "i" };

/** Lower case, without accents, apostrophes and other punctuation; white space is one space. */
export function fold(value: string): string {
  const letters = value.replaceAll(/['’]/g, "").normalize("NFKD").replaceAll(/\p{M}/gu, "");
  const folded = letters
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .replaceAll("ς", "σ")
    .replaceAll(/[łøđæı]/g, (letter) => WRITTEN[letter] ?? letter);
  return folded
    .normalize("NFC")
    .replaceAll(/[\s\p{P}]+/gu, " ")
    .trim();
}

/** All that a string can be found by: itself, with what punctuation separates joined, and the ends of a family name. */
function forms(text: string, isFamily: boolean): string[] {
  if (text.length > 128) return [fold(text)];
  const words = isFamily ? text.split(/[\s\p{Pd}]+/u) : [];
  const ends = words.map((_, index) => words.slice(index).join(" "));
  return [text, text.replaceAll(/\p{P}/gu, ""), ...ends].map(fold).filter((form) => form !== "");
}

/** Whether the value is, or with the modifier stands to, the asked one (contract 10.3 to 10.8). */
export function isValue(
  value: Value,
  operand: Operand,
  modifier: string | undefined,
  targets: readonly string[],
): boolean {
  switch (operand.kind) {
    case "token":
      if (modifier === "identifier") {
        return value.kind === "reference" && value.identifier !== undefined && isCode(value.identifier, operand);
      }
      return value.kind === "token" && value.codes.some((coding) => isCode(coding, operand));
    case "set":
      return operand.members.some((member) => isValue(value, member, undefined, targets));
    case "ofType":
      return (
        value.kind === "token" &&
        value.types.some(
          (each) => each.system === operand.system && each.code === operand.code && each.value === operand.value,
        )
      );
    case "text":
      return isText(value, operand.text, modifier);
    case "date":
      return value.kind === "date" && isDate(value, operand);
    case "quantity":
      return value.kind === "quantity" && isQuantity(value, operand);
    case "reference":
      if (value.kind === "canonical reference") return isCanonical(value, operand, targets);
      return value.kind === "reference" && refersTo(value, operand, targets, BASE);
    default:
      throw new Error("a composite has no value of its own");
  }
}

function canonicalOf(text: string): CanonicalValue {
  const [url = "", version] = versions(text, true).length > 1 ? text.split("|") : [text];
  const relative = url.startsWith(`${BASE}/`) ? url.slice(BASE.length + 1) : url;
  return { kind: "canonical reference", texts: versions(text, true), url: relative, version };
}

function isCanonical(stored: CanonicalValue, { text: asked }: ReferenceOperand, targets: readonly string[]): boolean {
  const { url, version } = canonicalOf(asked);
  if (version !== undefined && stored.version !== version) return false;
  return stored.url === url || targets.some((type) => stored.url === `${type}/${url}`);
}

function isCode(stored: Coding, { system, code }: { system?: string; code?: string }): boolean {
  const compared = (text: string | undefined): string | undefined =>
    stored.isCaseless === true ? text?.normalize("NFC").toLowerCase().toUpperCase().toLowerCase() : text;
  if (code !== undefined && compared(stored.code) !== compared(code)) return false;
  if (system === undefined) return true;
  if (system === "") return stored.system === undefined;
  return stored.system === system || (stored.system === undefined && stored.implied?.includes(system) === true);
}

function isText(value: Value, asked: string, modifier: string | undefined): boolean {
  if (value.kind === "token") {
    return modifier === "text" && value.texts.some((each) => fold(each).startsWith(fold(asked)));
  }
  if (value.kind === "string") {
    const isOne = (each: string, isFamily: boolean): boolean => {
      if (modifier === "exact") return each === asked;
      return forms(each, isFamily).some((form) =>
        modifier === "contains" ? form.includes(fold(asked)) : form.startsWith(fold(asked)),
      );
    };
    return value.texts.some((each) => isOne(each, false)) || (value.families ?? []).some((each) => isOne(each, true));
  }
  if (value.kind !== "uri" && value.kind !== "canonical") return false;
  return value.texts.some((each) => {
    if (modifier === "below") return each.startsWith(asked) && !each.startsWith("urn:");
    if (modifier === "above") return asked.startsWith(each) && !each.startsWith("urn:");
    return each === asked;
  });
}

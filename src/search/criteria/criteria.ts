import type { SearchParameter } from "../../fhir/search-parameters.ts";
import type { DecimalOperand } from "./decimal.ts";

import type { WordTest } from "./words.ts";

/** Comparison prefixes of dates, numbers and quantities. */
export const PREFIXES = ["eq", "ne", "lt", "gt", "le", "ge", "sa", "eb", "ap"] as const;

/** One of {@link PREFIXES}. */
export type Prefix = (typeof PREFIXES)[number];

/**
 * `[code]`, `[system]|[code]`, `|[code]` (system is then "") or `[system]|`. At least one of them is there.
 * For `:of-type` the code is the stored text.
 */
export interface TokenValue {
  type: "token";
  system?: string;
  code?: string;
}

/** A string, or the text of a token (`:text`). */
export interface StringValue {
  type: "string";
  text: string;
}

/** A uri. */
export interface UriValue {
  type: "uri";
  text: string;
  /** Of the canonical URL of a resource: the version that is asked for with it. */
  version?: string;
}

/** A reference to a resource of this server by one of several types, or one that is compared as text, or both. */
export interface ReferenceValue {
  type: "reference";
  /** `Type/id` of the targets it may mean. */
  targets: readonly { type: string; id: string }[];
  /** Texts it may have been written as, when it could not be typed. */
  texts: readonly string[];
  /** What it means where the parameter refers by canonical URL. */
  canonicals?: readonly CanonicalValue[];
}

/** A canonical URL, of any version or of one. */
export interface CanonicalValue {
  url: string;
  version?: string;
}

/** A date as the closed range of 100 ns ticks since 1970 that it can mean. */
export interface DateValue {
  type: "date";
  prefix: Prefix;
  low: bigint;
  high: bigint;
}

/** A number, or a quantity with the unit it must have. */
export interface QuantityValue {
  type: "quantity";
  prefix: Prefix;
  number: DecimalOperand;
  system?: string;
  code?: string;
}

/** A place on the globe, in degrees, and how far around it a position may lie. */
export interface NearValue {
  type: "near";
  latitude: number;
  longitude: number;
  /** Metres. */
  distance: number;
  /** The unit that the distance was given in, by its UCUM code. */
  unit: string;
}

/** One value per component. */
export interface CompositeValue {
  type: "composite";
  parts: SimpleValue[];
}

/** A value of a parameter that is no composite. */
export type SimpleValue = TokenValue | StringValue | UriValue | ReferenceValue | DateValue | QuantityValue | NearValue;

/** A value of a parameter. */
export type CriterionValue = SimpleValue | CompositeValue;

/** What a resource is compared with. */
export type Comparison =
  /** Some value of the parameter equals, begins with, overlaps … one of `values`. */
  | "plain"
  /** No value of the parameter does; resources without the parameter included. */
  | "not"
  | "exact"
  | "contains"
  | "above"
  | "below"
  | "identifier"
  | "of-type"
  | "text"
  /** It is in a stored value set, and none of its values is. */
  | "in"
  | "not-in";

/** One parameter of the query; several are joined by AND, the values of one by OR. */
export type Criterion =
  | { kind: "values"; parameter: SearchParameter; comparison: Comparison; values: CriterionValue[] }
  | { kind: "missing"; parameter: SearchParameter; missing: boolean }
  | { kind: "id"; ids: string[]; negated: boolean }
  | { kind: "lastUpdated"; values: DateValue[] }
  /** It refers, by the parameter, to a resource that meets one of the groups. */
  | { kind: "chain"; parameter: SearchParameter; groups: readonly CriteriaGroup[] }
  /** A resource of `type` that meets one of the groups refers to it by the parameter. */
  | { kind: "has"; type: string; parameter: SearchParameter; groups: readonly CriteriaGroup[] }
  /** It is in a compartment: one of the parameters refers to `target`, or it may be the target itself. */
  | {
      kind: "member";
      parameters: readonly SearchParameter[];
      target: { type: string; id: string };
      /** The target's URL. */
      url: string;
      isItself: boolean;
    }
  /** It is in the compartment of some stored resource of `type`, or may be one of these itself. */
  | { kind: "anyMember"; parameters: readonly SearchParameter[]; type: string; isItself: boolean }
  /** Words of its narrative, or of all of it (`_text`, `_content`); `name` is as written in the query. */
  | { kind: "text"; name: string; place: TextPlace; test: WordTest }
  /** A date of one of the parameters overlaps a range of ticks, or there is none. */
  | { kind: "care"; parameters: readonly SearchParameter[]; low: bigint; high: bigint }
  /** `column`: what every stored resource has, and is asked whether it has. */
  | { kind: "always"; matches: boolean; column?: string };

/** Criteria that hold for some types: in searches over several types one name can mean different parameters. */
export interface CriteriaGroup {
  /** Undefined: every type. */
  types: readonly string[] | undefined;
  criteria: readonly Criterion[];
}

/** What of a resource is searched for words: its own narrative, or all of it. */
export type TextPlace = "narrative" | "content";

import * as make from "./datatypes.ts";
import { definitionsOf, elementsOf, targetsAt, TYPES, type ElementType } from "./definitions.ts";
import type { Random } from "./random.ts";
import { beginsWith, unionOf } from "./select.ts";
import type { Stored } from "./world.ts";

/** Types whose references may point to anything are given these. */
const ANYTHING = ["Patient", "Observation", "Basic"];

/**
 * Resources of every type that has search parameters, `count` of each, as valid as a server asks; the elements that some
 * search parameter of the type looks at are filled more often than not.
 */
export function generateResources(random: Random, count: number): Stored[] {
  return TYPES.flatMap((type) =>
    Array.from({ length: count }, (_, number) => generateOne(random, type, number, count)),
  );
}

function generateOne(random: Random, type: string, number: number, count: number): Stored {
  const names = searchedNames(type);
  const made = elementsInto(random, { names, count, path: type, owner: type, depth: 0 });
  const fixed = FIXED[type] ?? {};
  const isContainer = "contained" in elementsOf(type) && random.chance(0.7);
  const contained = isContainer
    ? { contained: ["inside", "other"].map((id) => containedIn(random, type, id, count)) }
    : {};
  return { resourceType: type, id: make.idOf(number), ...made, ...fixed, ...contained };
}

/** A resource of a type that the container's references can point to. */
function containedIn(random: Random, container: string, id: string, count: number): Stored {
  const targets = definitionsOf(container).flatMap(({ target }) => target);
  const types = [...ANYTHING, ...targets].filter((type) => TYPES.includes(type) && "contained" in elementsOf(type));
  const type = random.pick(types);
  const made = elementsInto(random, { names: searchedNames(type), count, path: type, owner: type, depth: 0 });
  return { resourceType: type, id, ...made, ...FIXED[type] };
}

/** What would do something to the server: these definitions define nothing. */
const FIXED: Readonly<Record<string, object>> = { SearchParameter: { status: "retired" } };

/** The names that stand in the expressions of a type's parameters. */
function searchedNames(type: string): ReadonlySet<string> {
  const expressions = definitionsOf(type).flatMap(({ expression, components }) => [
    ...unionOf(expression).filter((text) => beginsWith(text, type)),
    ...components.map((component) => component.expression),
  ]);
  return new Set(expressions.flatMap((expression) => expression.match(/[\w-]+/g) ?? []));
}

interface Place {
  readonly names: ReadonlySet<string>;
  readonly count: number;
  /** `Patient.contact`, for what is known of the elements below. */
  readonly path: string;
  /** The type or inner element that has the elements. */
  readonly owner: string;
  readonly depth: number;
}

function elementsInto(random: Random, place: Place): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [element, types] of Object.entries(elementsOf(place.owner))) {
    const name = element.replace("[x]", "");
    if (NEVER.has(name) || !place.names.has(name) || !random.chance(place.depth === 0 ? 0.75 : 0.85)) continue;
    // Of a choice, rather a type that some expression names.
    const named = types.filter(({ type }) => place.names.has(type));
    const type = random.pick(named.length > 0 && random.chance(0.6) ? named : types);
    const one = (): unknown => valueInto(random, type, { ...place, path: `${place.path}.${name}` });
    const values = Array.from({ length: type.many ? 1 + random.below(2) : 1 }, one).filter(
      (each) => each !== undefined,
    );
    if (values.length === 0) continue;
    const member = element === name ? name : `${name}${type.type[0]?.toUpperCase()}${type.type.slice(1)}`;
    made[member] = type.many ? values : values[0];
  }
  return made;
}

/** Of the server, or no business of these searches. */
const NEVER: ReadonlySet<string> = new Set([
  "id",
  "text",
  "contained",
  "extension",
  "modifierExtension",
  "versionId",
  "lastUpdated",
  "implicitRules",
]);

type Make = (random: Random) => unknown;

const MAKERS: Readonly<Record<string, Make>> = {
  string: make.words,
  markdown: make.words,
  boolean: (random) => random.chance(0.5),
  date: make.date,
  dateTime: make.dateTime,
  instant: make.instant,
  time: () => "10:00:00",
  uri: make.uri,
  url: make.uri,
  canonical: make.canonical,
  oid: () => "urn:oid:1.2.3.4",
  uuid: () => "urn:uuid:c757873d-ec9a-4326-a141-556043521001",
  code: make.code,
  id: make.code,
  base64Binary: () => "AAAA",
  decimal: (random) => make.number(random, false),
  integer: (random) => make.number(random, true),
  positiveInt: (random) => make.number(random, true),
  unsignedInt: (random) => make.number(random, true),
  Coding: make.coding,
  CodeableConcept: make.concept,
  Identifier: make.identifier,
  Period: make.period,
  Timing: make.timing,
  Quantity: make.quantity,
  Age: make.quantity,
  Duration: make.quantity,
  Count: make.quantity,
  Distance: make.quantity,
  Range: make.range,
  SampledData: make.samples,
  Money: (random) => ({ value: make.number(random, false), currency: random.pick(["EUR", "NOK"]) }),
  HumanName: make.humanName,
  Address: make.address,
  ContactPoint: make.contactPoint,
  Narrative: () => undefined,
};

function valueInto(random: Random, { type, codes, concepts }: ElementType, place: Place): unknown {
  if (concepts !== undefined) {
    const [system, members] = random.pick(Object.entries(concepts));
    const coding = { system, code: random.pick(members) };
    return type === "Coding" ? coding : { coding: [coding], ...(random.chance(0.4) ? { text: "Red" } : {}) };
  }
  if (codes !== undefined) {
    const named = codes.filter((code) => place.names.has(code));
    return random.pick(named.length > 0 && random.chance(0.7) ? named : codes);
  }
  if (type === "Reference") {
    const targets = (targetsAt(place.path) ?? ANYTHING).filter((target) => TYPES.includes(target));
    return make.reference(random, targets, place.count);
  }
  if (type === "Resource") {
    const inner = random.pick(["Composition", "MessageHeader", "Patient"]);
    return { resourceType: inner, id: make.idOf(random.below(place.count + 1)) };
  }
  const maker = MAKERS[type];
  if (maker !== undefined) return maker(random);
  if (place.depth > 5) return undefined;
  const made = elementsInto(random, { ...place, owner: type, depth: place.depth + 1 });
  return Object.keys(made).length === 0 ? undefined : made;
}

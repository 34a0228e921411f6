import { isArrayAt, isObjectAt, itemsAt, membersAt } from "../fhir/json-bytes.ts";

/**
 * A JSON text that can be changed in places while everything else keeps its bytes: digits of decimals, white space, order of
 * members, escapes in strings. (A parser that keeps only the digits, such as lossless-json, loses the rest.) A value is
 * its bytes until someone looks into it; then it is a list of children, each with the bytes around it. Names are never
 * used as JavaScript properties, so `__proto__` is a name like any other.
 */

/** A value of the document. */
export interface JsonNode {
  /** Its bytes, without white space around; stale once there are children. */
  bytes: Buffer;
  /** Of an object or array that was looked into. */
  children: JsonChild[] | undefined;
  /** White space before the closing bracket, where there are children. */
  tail: Buffer;
}

/** A member or an item. */
export interface JsonChild {
  /** Undefined for items. */
  readonly name: string | undefined;
  /** White space before it. */
  readonly lead: Buffer;
  /** A member's name as it is written, its colon and the white space around that. Empty for items. */
  readonly label: Buffer;
  value: JsonNode;
  /** White space between it and the comma behind. */
  readonly trail: Buffer;
}

/** A way into a document: names of members and numbers of items. */
export type JsonPath = readonly (string | number)[];

/** A node of these bytes, which `JSON.parse` must have accepted. */
export function nodeOf(bytes: Buffer): JsonNode {
  let start = 0;
  let end = bytes.length;
  while (isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  return { bytes: bytes.subarray(start, end), children: undefined, tail: NOTHING };
}

/** What a node is: an object, an array, or something without children. */
export function kindOf({ bytes }: JsonNode): "object" | "array" | "scalar" {
  return isObjectAt(bytes, 0) ? "object" : isArrayAt(bytes, 0) ? "array" : "scalar";
}

/** The children of an object or array, to be changed only by the functions below; none of a scalar. */
export function childrenOf(node: JsonNode): readonly JsonChild[] {
  return (node.children ??= read(node));
}

/** The member of an object with this name, as `JSON.parse` would find it: the last where it occurs twice. */
export function memberOf(node: JsonNode, name: string): JsonChild | undefined {
  return kindOf(node) === "object" ? childrenOf(node).findLast((child) => child.name === name) : undefined;
}

/** The child at one step; undefined when there is none. */
export function childAt(node: JsonNode, step: string | number): JsonChild | undefined {
  if (typeof step === "string") return memberOf(node, step);
  return kindOf(node) === "array" ? childrenOf(node)[step] : undefined;
}

/** The value at the end of a path. */
export function documentNodeAt(root: JsonNode, path: JsonPath): JsonNode | undefined {
  let node: JsonNode | undefined = root;
  for (const step of path) node = node && childAt(node, step)?.value;
  return node;
}

/** Gives an object's member a value: in its place where it is there, else as the last member. */
export function setMember(object: JsonNode, name: string, value: JsonNode): void {
  const members = (object.children ??= read(object));
  const member = members.findLast((child) => child.name === name);
  if (member !== undefined) {
    member.value = value;
    return;
  }
  const last = members.at(-1);
  members.push(newMember(name, value, last));
}

/** As the member before is written: in a text with indentation the new one has it, too. */
function newMember(name: string, value: JsonNode, last: JsonChild | undefined): JsonChild {
  const label = Buffer.concat([Buffer.from(JSON.stringify(name)), last === undefined ? COLON : colonOf(last)]);
  return { name, lead: last?.lead ?? NOTHING, label, value, trail: NOTHING };
}

/**
 * Changes members of an object, each of the names once: `change` is given what is there, and gives the new value, or undefined to
 * remove it. Takes time in proportion to the members, however many there are.
 */
export function changeMembers(
  object: JsonNode,
  names: readonly string[],
  change: (name: string, old: JsonNode | undefined) => JsonNode | undefined,
): void {
  const members = [...childrenOf(object)];
  const byName = new Map(members.map((member) => [member.name, member]));
  const removed = new Set<string | undefined>();
  for (const name of names) {
    const member = byName.get(name);
    const value = change(name, member?.value);
    if (value === undefined) removed.add(name);
    else if (member !== undefined) member.value = value;
    else members.push(newMember(name, value, members.at(-1)));
  }
  object.children = removed.size === 0 ? members : members.filter(({ name }) => !removed.has(name));
}

/** Gives a member another name, in its place; one that has that name goes. Nothing when it is not there. */
export function renameMember(object: JsonNode, name: string, newName: string): void {
  const members = (object.children ??= read(object));
  const old = members.findLast((child) => child.name === name);
  if (name === newName || old === undefined) return;
  const kept = members.filter((child) => child === old || (child.name !== name && child.name !== newName));
  const label = Buffer.concat([Buffer.from(JSON.stringify(newName)), colonOf(old)]);
  object.children = kept.map((child) => (child === old ? { ...old, name: newName, label } : child));
}

/** Removes a member, also where it occurs twice. Whether it was there. */
export function removeMember(object: JsonNode, name: string): boolean {
  const members = (object.children ??= read(object));
  const kept = members.filter((child) => child.name !== name);
  object.children = kept;
  return kept.length < members.length;
}

/** Puts a value before the item with this number, or behind the last. */
export function insertItem(array: JsonNode, index: number, value: JsonNode): void {
  const items = (array.children ??= read(array));
  const lead = (items[index] ?? items.at(-1))?.lead ?? NOTHING;
  items.splice(index, 0, { name: undefined, lead, label: NOTHING, value, trail: NOTHING });
}

/** Takes an item out. */
export function removeItem(array: JsonNode, index: number): JsonNode | undefined {
  const items = (array.children ??= read(array));
  return items.splice(index, 1)[0]?.value;
}

/** The bytes of a node as it is now. */
export function bytesOf(node: JsonNode): Buffer {
  if (node.children === undefined) return node.bytes;
  const pieces: Buffer[] = [];
  write(node, pieces);
  return Buffer.concat(pieces);
}

/**
 * Whether two values are equal as RFC 6902 (4.6) wants it: members in any order, numbers by their value (`1.10` is `1.1`,
 * compared by their digits and not as doubles), strings by their characters.
 */
export function isEqual(a: JsonNode, b: JsonNode): boolean {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  if (kind === "scalar") return a.bytes.equals(b.bytes) || isSameScalar(a.bytes.toString(), b.bytes.toString());
  if (kind === "array") {
    const items = childrenOf(a);
    const others = childrenOf(b);
    return (
      items.length === others.length &&
      items.every(({ value }, index) => isEqual(value, (others[index] as JsonChild).value))
    );
  }
  const members = lastMembers(a);
  const others = lastMembers(b);
  if (members.size !== others.size) return false;
  for (const [name, value] of members) {
    const other = others.get(name);
    if (other === undefined || !isEqual(value, other)) return false;
  }
  return true;
}

/** Whether a text nests deeper than `limit` levels of objects and arrays. */
export function isDeeperThan(bytes: Buffer, limit: number): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (isText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > limit) return true;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return false;
}

const NOTHING = Buffer.alloc(0);
const COLON = Buffer.from(":");
const COMMA = Buffer.from(",");
const QUOTE = 34;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const BRACES = [Buffer.from("{"), Buffer.from("}")] as const;
const BRACKETS = [Buffer.from("["), Buffer.from("]")] as const;

function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 9 || byte === 10 || byte === 13;
}

/** A member's colon, and the white space around it. */
function colonOf({ label }: JsonChild): Buffer {
  return label.subarray(label.lastIndexOf(QUOTE) + 1);
}

function read(node: JsonNode): JsonChild[] {
  const { bytes } = node;
  const kind = kindOf(node);
  if (kind === "scalar") return [];
  const ranges =
    kind === "object"
      ? membersAt(bytes, 0)
      : itemsAt(bytes, 0).map((item) => ({ ...item, valueStart: item.start, name: undefined }));
  let from = 1; // behind the opening bracket
  const children = ranges.map(({ name, start, valueStart, end }, index): JsonChild => {
    const lead = between(bytes, from, start);
    const isLast = index === ranges.length - 1;
    const comma = isLast ? end : bytes.indexOf(COMMA, end);
    from = isLast ? end : comma + 1;
    const value = { bytes: bytes.subarray(valueStart, end), children: undefined, tail: NOTHING };
    return { name, lead, label: between(bytes, start, valueStart), value, trail: between(bytes, end, comma) };
  });
  node.tail = bytes.subarray(from, bytes.length - 1);
  return children;
}

/** A Buffer is 200 bytes of memory, and in a text without white space most of them would have nothing in them. */
function between(bytes: Buffer, start: number, end: number): Buffer {
  return start === end ? NOTHING : bytes.subarray(start, end);
}

function write(node: JsonNode, pieces: Buffer[]): void {
  if (node.children === undefined) {
    pieces.push(node.bytes);
    return;
  }
  const [open, close] = kindOf(node) === "object" ? BRACES : BRACKETS;
  pieces.push(open);
  for (const [index, { lead, label, value, trail }] of node.children.entries()) {
    if (index > 0) pieces.push(COMMA);
    pieces.push(lead, label);
    write(value, pieces);
    pieces.push(trail);
  }
  pieces.push(node.tail, close);
}

function lastMembers(object: JsonNode): Map<string, JsonNode> {
  return new Map(childrenOf(object).map(({ name, value }) => [name ?? "", value]));
}

function isSameScalar(a: string, b: string): boolean {
  if (a.startsWith('"') || b.startsWith('"')) {
    return a.startsWith('"') && b.startsWith('"') && JSON.parse(a) === JSON.parse(b);
  }
  const number = decimalOf(a);
  return number !== undefined && number === decimalOf(b);
}

/** One text for all ways to write a number: `-12.50e1` is `-125e0`. Undefined for what is no number. */
function decimalOf(text: string): string | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  const short = withoutZeros(digits);
  if (short === "") return "0";
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - short.length);
  return `${sign}${short}e${power}`;
}

/** Without the zeros at its end. `/0+$/` would try each run of zeros up to its end. */
function withoutZeros(digits: string): string {
  let end = digits.length;
  while (digits.endsWith("0", end)) end--;
  return digits.slice(0, end);
}

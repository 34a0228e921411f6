import { isObject, type JsonObject, type JsonValue } from "../base/json.ts";
import {
  bytesOf,
  childrenOf,
  kindOf,
  memberOf,
  nodeOf,
  removeMember,
  setMember,
  type JsonNode,
} from "./json-document.ts";

/** Profiles, security labels and tags that are added to a resource's `meta`, or removed from it. */
export interface MetaEdit {
  readonly how: "add" | "delete";
  readonly meta: JsonObject;
}

/** The elements of `meta` that are sets, and may be changed. */
export const META_SETS = ["profile", "security", "tag"] as const;

/**
 * The bytes of a resource with its `meta` changed (http://hl7.org/fhir/R4/resource-operation-meta-add.html); the same bytes where nothing
 * is to be done. A tag or security label is known by its system and code, a profile by its URL: the first one stays.
 */
export function applyMetaEdit(bytes: Buffer, { how, meta }: MetaEdit): Buffer {
  const root = nodeOf(bytes);
  const object = memberOf(root, "meta")?.value ?? nodeOf(EMPTY);
  let isChanged = false;
  for (const name of META_SETS) {
    const named = new Map(listOf(meta[name]).map((value) => [metaIdentity(value), value]));
    const old = memberOf(object, name)?.value;
    const items = old !== undefined && kindOf(old) === "array" ? childrenOf(old).map(({ value }) => value) : [];
    const kept = how === "add" ? [...items] : items.filter((item) => !named.has(identityOf(item)));
    if (how === "add") {
      const there = new Set(items.map(identityOf));
      for (const [identity, value] of named) {
        if (!there.has(identity)) kept.push(nodeOf(Buffer.from(JSON.stringify(value))));
      }
    }
    if (kept.length === items.length) continue;
    isChanged = true;
    if (kept.length === 0) removeMember(object, name);
    else setMember(object, name, arrayOf(kept));
  }
  if (!isChanged) return bytes;
  setMember(root, "meta", object);
  return bytesOf(root);
}

/** What a profile, a tag or a security label is known by. */
export function metaIdentity(value: JsonValue): string {
  if (!isObject(value)) return JSON.stringify(value);
  return JSON.stringify([value["system"] ?? null, value["code"] ?? null]);
}

function identityOf(node: JsonNode): string {
  return metaIdentity(JSON.parse(bytesOf(node).toString()) as JsonValue);
}

function arrayOf(items: readonly JsonNode[]): JsonNode {
  const pieces = items.flatMap((item, at) => (at === 0 ? [bytesOf(item)] : [COMMA, bytesOf(item)]));
  return nodeOf(Buffer.concat([OPEN, ...pieces, CLOSE]));
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

const EMPTY = Buffer.from("{}");
const OPEN = Buffer.from("[");
const COMMA = Buffer.from(",");
const CLOSE = Buffer.from("]");

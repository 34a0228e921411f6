import { TYPES } from "./definitions.ts";

/** What a Reference element says (contract 10.7). */
export interface ReferenceValue {
  readonly kind: "reference";
  /** The target when it is a resource of this server: relative, below its base, or a bare id whose type is known. */
  readonly type: string | undefined;
  readonly id: string | undefined;
  /** What is compared otherwise: foreign URLs, `urn:`, `#contained`, conditional references, bare ids of unknown type. */
  readonly text: string | undefined;
  /** The one version that is meant. */
  readonly version?: string | undefined;
  readonly identifier: { readonly system: string | undefined; readonly code: string | undefined } | undefined;
}

type Members = Readonly<Record<string, unknown>>;

const ID = /^[A-Za-z0-9\-.]{1,64}$/;

function withoutVersion(reference: string): string {
  return reference.replace(/\/_history\/.*$/, "");
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * The type of target that a Reference names: by its text, which may be that of a resource contained in `container`, or else by its
 * `type`. Undefined when it tells nothing.
 */
export function targetTypeOf(reference: Members, container: Members): string | undefined {
  const text = withoutVersion(textOf(reference["reference"]) ?? "");
  const [path = ""] = text.split("?");
  const parts = path.split("/");
  const named = text.includes("?") ? parts.at(-1) : ID.test(parts.at(-1) ?? "") ? parts.at(-2) : undefined;
  const contained = (container["contained"] ?? []) as Members[];
  const inside = contained.find(({ id }) => text === `#${String(id)}`)?.["resourceType"];
  return [named, inside, reference["type"]].find((type): type is string => TYPES.includes(String(type)));
}

/** Reads a Reference. `possible` are the types it can point to where only one makes the type of a bare id known. */
export function readReference(reference: Members, possible: readonly string[], base: string): ReferenceValue {
  const written = withoutVersion(textOf(reference["reference"]) ?? "");
  const text = written.startsWith(`${base}/`) ? written.slice(base.length + 1) : written;
  const version = /\/_history\/(.*)$/.exec(textOf(reference["reference"]) ?? "")?.[1];
  const { system, value } = (reference["identifier"] ?? {}) as Members;
  const identifier =
    textOf(system) === undefined && textOf(value) === undefined
      ? undefined
      : { system: textOf(system), code: textOf(value) };
  const none = { kind: "reference", type: undefined, id: undefined, text: undefined, version, identifier } as const;
  const [, type, id] = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/.exec(text) ?? [];
  if (type !== undefined && TYPES.includes(type)) return { ...none, type, id };
  if (ID.test(text)) {
    const known = targetTypeOf(reference, {}) ?? (possible.length === 1 ? possible[0] : undefined);
    return known === undefined ? { ...none, text } : { ...none, type: known, id: text };
  }
  return { ...none, text: text === "" ? undefined : text };
}

/** An asked reference. */
export interface ReferenceOperand {
  readonly kind: "reference";
  /** As in the query. */
  readonly text: string;
  /** The type in `subject:Patient`. */
  readonly ofType?: string;
}

/** Whether a stored reference is the asked one; `targets` are the types that the parameter refers to. */
export function refersTo(
  stored: ReferenceValue,
  { text, ofType }: ReferenceOperand,
  targets: readonly string[],
  base: string,
): boolean {
  const asked = text.startsWith(`${base}/`) ? text.slice(base.length + 1) : text;
  const [, type, id, version] = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/(.*))?$/.exec(asked) ?? [];
  const [, ofOther] = /\/_history\/(.*)$/.exec(asked) ?? [];
  if (ofOther !== undefined && stored.version !== ofOther) return false;
  if (version !== undefined && stored.version !== version) return false;
  if (type !== undefined && TYPES.includes(type)) return stored.type === type && stored.id === id;
  if (!ID.test(text)) return stored.text === withoutVersion(text);
  if (ofType !== undefined) return stored.type === ofType && stored.id === text;
  return stored.text === text || (stored.id === text && targets.includes(stored.type ?? ""));
}

import { resourceTypeId } from "../fhir/resource-types.ts";

/** What the text of a reference says by itself. */
export interface ReferenceText {
  /** The text without `/_history/…`. */
  text: string;
  /** The R4 type that the text names; empty when it names none. */
  type: string;
  /** `resourceTypeId` of `type`, 0 when it names none. */
  typeId: number;
  /** Of a URL `[base]/Type/id` the base, and the id; empty for everything else. */
  base: string;
  idAtBase: string;
  /** The id of a relative `Type/id`, or of a bare id; empty for everything else. */
  id: string;
  /** What stands behind `/_history/`; empty where there is none. */
  version: string;
}

/**
 * Reads `Type/id`, `Type/id/_history/1`, `http://host/fhir/Type/id`, `Type?identifier=…` and a bare `id`; of everything else
 * (`#contained`, `urn:uuid:…`, other URLs) only the text is known.
 */
export function readReference(reference: string, out: ReferenceText): void {
  const history = reference.indexOf(HISTORY);
  const text = history > 0 ? reference.slice(0, history) : reference;
  out.text = text;
  out.version = history > 0 ? reference.slice(history + HISTORY.length) : "";
  out.type = "";
  out.typeId = 0;
  out.id = "";
  out.base = "";
  out.idAtBase = "";
  // A conditional reference may have slashes in its query; its type stands right before the question mark.
  const mark = text.indexOf("?");
  if (mark > 0) {
    setType(text.slice(text.lastIndexOf("/", mark) + 1, mark), out);
    return;
  }
  const slash = text.lastIndexOf("/");
  if (!isId(text, slash + 1)) return;
  if (slash < 0) {
    out.id = text;
    return;
  }
  const before = text.lastIndexOf("/", slash - 1);
  setType(text.slice(before + 1, slash), out);
  if (out.typeId === 0 || before === 0) return;
  if (before < 0) {
    out.id = text.slice(slash + 1);
  } else {
    out.base = text.slice(0, before);
    out.idAtBase = text.slice(slash + 1);
  }
}

/**
 * What {@link readReference} reads, not to be changed. Neighbouring lines refer to the same resources: the references that came last are
 * kept, by how they end. Bounded: 1,024 references of at most 200 characters.
 */
export function recentReference(reference: string): Readonly<ReferenceText> {
  const { length } = reference;
  const end =
    reference.charCodeAt(length - 1) ^
    (reference.charCodeAt(length - 2) << 4) ^
    (reference.charCodeAt(length - 3) << 8);
  const slot = end & RECENT;
  const known = recentReferences[slot];
  if (known !== undefined && recentTexts[slot] === reference) return known;
  const read: ReferenceText = { ...NO_REFERENCE };
  readReference(reference, read);
  if (length <= LONGEST_RECENT) {
    recentTexts[slot] = reference;
    recentReferences[slot] = read;
  }
  return read;
}

/** What an absent reference says. */
export const NO_REFERENCE: Readonly<ReferenceText> = {
  text: "",
  type: "",
  typeId: 0,
  base: "",
  idAtBase: "",
  id: "",
  version: "",
};

const RECENT = 1023;
const LONGEST_RECENT = 200;
const recentTexts: string[] = Array.from({ length: RECENT + 1 }, () => "");
const recentReferences: (Readonly<ReferenceText> | undefined)[] = Array.from({ length: RECENT + 1 }, () => undefined);

const HISTORY = "/_history/";

function setType(type: string, out: ReferenceText): void {
  const typeId = resourceTypeId(type);
  if (typeId === undefined) return;
  out.type = type;
  out.typeId = typeId;
}

/** Whether the text from a position on is a resource id: 1 to 64 of A-Z, a-z, 0-9, `-`, `.`. */
function isId(text: string, from: number): boolean {
  const { length } = text;
  if (length === from || length - from > 64) return false;
  for (let index = from; index < length; index++) {
    const code = text.charCodeAt(index);
    const letter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
    if (!letter && !(code >= 0x30 && code <= 0x39) && code !== 0x2d && code !== 0x2e) return false;
  }
  return true;
}

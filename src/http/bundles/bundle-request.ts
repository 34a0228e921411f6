import { StokerError } from "../../base/errors.ts";
import { ownTurnFor, Pace } from "../../base/own-turn.ts";
import { isObject, type JsonObject, type JsonValue } from "../../base/json.ts";
import { isArrayAt, isObjectAt, itemsAt, membersAt, type JsonMember } from "../../fhir/json-bytes.ts";
import { operationParameters } from "../../fhir/operation-parameters.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import { checkParsed, parseBody, refuseRepeated, type CheckedBody } from "../../write/check-body/checked-body.ts";
import type { Preconditions } from "../../write/interactions/interactions.ts";
import {
  JSON_PATCHES,
  readCheckedParameters,
  readJsonPatchBody,
  type ReadPatch,
} from "../../write/interactions/patch-interactions.ts";

/** A Bundle of interactions. */
export interface BundleRequest {
  type: "batch" | "transaction";
  entries: RawEntry[];
}

/** An entry that nobody has looked at yet. */
export interface RawEntry {
  value: JsonValue;
  /** Its bytes. */
  bytes: Buffer | undefined;
  /** The bytes of its resource. */
  resource: Buffer | undefined;
}

/** What an entry asks for. */
export interface EntryRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  target: EntryTarget;
  fullUrl: string | undefined;
  preconditions: Preconditions;
  ifModifiedSince: string | undefined;
  /** Checked; of a POST or PUT only. */
  body: CheckedBody | undefined;
  /** Of a PATCH only. */
  patch: ReadPatch | undefined;
  /** The resource of a `$validate`, which nobody has looked at. */
  validated: Buffer | undefined;
}

/** The path and query of an entry's `request.url`, below the base. */
export interface EntryTarget {
  type: string | undefined;
  id: string | undefined;
  isHistory: boolean;
  version: string | undefined;
  /** Of readings below a resource: the type searched in its compartment, `*`, or `$everything`. */
  member: string | undefined;
  /** What is neither a resource nor a search. */
  operation: "metadata" | "$validate" | "$meta" | undefined;
  query: string;
}

/** Reads the envelope of a batch or transaction; others have their turn between its entries. Rejects with `bad-request`. */
export async function readBundle(bytes: Buffer): Promise<BundleRequest> {
  await ownTurnFor(bytes.length);
  const { value } = parseBody(bytes);
  if (!isObject(value) || value["resourceType"] !== "Bundle") throw invalid("A Bundle is expected.", "resourceType");
  const { type, entry } = value;
  if (type !== "batch" && type !== "transaction") {
    throw invalid("Bundle.type: a Bundle that is posted to the base must be a batch or a transaction.", "Bundle.type");
  }
  checkEnvelope(value);
  if (entry === undefined || entry === null) return { type, entries: [] };
  if (!Array.isArray(entry)) throw invalid("Bundle.entry: an array is expected.", "Bundle.entry");
  if (entry.length > MAX_ENTRIES) {
    throw new StokerError("bad-request", `Bundle.entry: more than ${MAX_ENTRIES} entries; send several Bundles.`, {
      issue: "too-costly",
      expression: "Bundle.entry",
    });
  }
  await ownTurnFor(bytes.length);
  const list = lastNamed(membersAt(bytes, 0), "entry");
  const items = list !== undefined && isArrayAt(bytes, list.valueStart) ? itemsAt(bytes, list.valueStart) : [];
  const entries: RawEntry[] = [];
  const pace = new Pace();
  for (const [index, each] of entry.entries()) {
    if (pace.isDue) await pace.rest();
    const item = items[index];
    const isThere = item !== undefined && isObjectAt(bytes, item.start);
    const resource = isThere ? lastNamed(membersAt(bytes, item.start), "resource") : undefined;
    entries.push({
      value: each,
      bytes: isThere ? bytes.subarray(item.start, item.end) : undefined,
      resource: resource && bytes.subarray(resource.valueStart, resource.end),
    });
  }
  return { type, entries };
}

/** A `request.ifmatch` that is left out would be an update without a condition. Throws `bad-request`. */
function checkEnvelope({ entry: _entries, ...envelope }: JsonObject): void {
  checkParsed(envelope, NOTHING, "");
}

/** The same of an entry without its resource, and without the URL, which may be a search with spaces. */
function checkEntryEnvelope({ resource: _resource, ...entry }: JsonObject, request: JsonObject): void {
  const { url: _url, ...others } = request;
  try {
    checkParsed({ resourceType: "Bundle", type: "batch", entry: [{ ...entry, request: others }] }, NOTHING, "");
  } catch (error) {
    if (!(error instanceof StokerError)) throw error;
    const detail = error.expression === undefined ? {} : { expression: belowEntry(error.expression) };
    throw new StokerError(error.code, belowEntry(error.message), { issue: error.issue, ...detail });
  }
}

function belowEntry(text: string): string {
  return text.replaceAll("Bundle.entry[0].", "");
}

const NOTHING = Buffer.alloc(0);

/** Each has an answer of some hundred bytes, and a tiny entry may have one of any size. */
const MAX_ENTRIES = 50_000;

/** Reads and checks an entry. Throws `bad-request` or `not-supported` with the element below the entry. */
export function readEntry({ value, bytes, resource }: RawEntry, baseUrl: string): EntryRequest {
  if (!isObject(value)) throw invalid("an object is expected.", undefined);
  const request = value["request"];
  if (!isObject(request)) throw invalid("request: the entry has no request.", "request");
  const { method: written, url } = request;
  if (!isMethod(written)) {
    throw invalid("request.method: GET, HEAD, POST, PUT, PATCH or DELETE is expected.", "request.method");
  }
  if (typeof url !== "string") throw invalid("request.url: a URL is expected.", "request.url");
  checkEntryEnvelope(value, request);
  const isSearch = written === "POST" && SEARCH_BY_POST.test(url);
  // It reads what the GET reads.
  const method = isSearch ? "GET" : written;
  const read = readTarget(url, baseUrl, method);
  const target = isSearch ? withForm(read, value["resource"], resource) : read;
  // A validation lists what is wrong.
  if (bytes !== undefined && target.operation !== "$validate") refuseRepeated(value, bytes);
  const isWrite = (method === "POST" || method === "PUT") && target.operation === undefined;
  return {
    method,
    target,
    fullUrl: textOf(value, "fullUrl"),
    preconditions: {
      ifMatch: textOf(request, "ifMatch"),
      ifNoneMatch: textOf(request, "ifNoneMatch"),
      ifNoneExist: textOf(request, "ifNoneExist"),
    },
    ifModifiedSince: textOf(request, "ifModifiedSince"),
    body: isWrite ? readResource(value["resource"], resource, target) : undefined,
    patch: method === "PATCH" ? readPatch(value["resource"], resource) : undefined,
    validated: target.operation === "$validate" ? resource : undefined,
  };
}

const METHODS: readonly EntryRequest["method"][] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

function isMethod(value: JsonValue | undefined): value is EntryRequest["method"] {
  return METHODS.some((method) => method === value);
}

function readResource(value: JsonValue | undefined, bytes: Buffer | undefined, target: EntryTarget): CheckedBody {
  const body = belowResource(() => checkEntryResource(value, bytes));
  if (body.type === target.type) return body;
  throw invalid(`request.url: the resource is a ${body.type}, but the URL says otherwise.`, "request.url");
}

/** A patch (http://hl7.org/fhir/R4/http.html#patch): a JSON Patch or Merge Patch in a `Binary`, or a FHIRPath Patch as `Parameters`. */
function readPatch(value: JsonValue | undefined, bytes: Buffer | undefined): ReadPatch {
  return belowResource(() => {
    const body = checkEntryResource(value, bytes);
    if (body.type !== "Binary") return readCheckedParameters(body);
    const { contentType, data } = body.resource;
    const mediaType = typeof contentType === "string" ? contentType.split(";", 1)[0]?.trim().toLowerCase() : undefined;
    if (mediaType === undefined || !JSON_PATCHES.includes(mediaType)) {
      const text = `The contentType of a Binary that is a patch must be ${JSON_PATCHES.join(" or ")}.`;
      throw invalid(text, "Binary.contentType");
    }
    const patch = typeof data === "string" ? readJsonPatchBody(mediaType, Buffer.from(data, "base64")) : undefined;
    if (patch === undefined) throw invalid("The Binary has no data.", "Binary.data");
    return patch;
  });
}

function checkEntryResource(value: JsonValue | undefined, bytes: Buffer | undefined): CheckedBody {
  if (value === undefined || bytes === undefined) throw invalid("resource: the entry has no resource.", "resource");
  return checkParsed(value, bytes, bytes.toString("utf8"));
}

/** Errors of the work say where in the entry they are. */
function belowResource<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof StokerError)) throw error;
    const path = error.expression?.replace(/^[A-Z][A-Za-z]*/, "resource") ?? "resource";
    throw new StokerError(error.code, error.message, { issue: error.issue, expression: path });
  }
}

function readTarget(url: string, baseUrl: string, method: EntryRequest["method"]): EntryTarget {
  const isReading = method === "GET" || method === "HEAD";
  const relative = url.startsWith(`${baseUrl}/`) ? url.slice(baseUrl.length + 1) : url.replace(/^\/+/, "");
  const mark = relative.indexOf("?");
  const path = (mark < 0 ? relative : relative.slice(0, mark)).replace(/\/$/, "");
  const segments = withoutSearch(path.split("/").map(decoded), isReading);
  const query = mark < 0 ? "" : relative.slice(mark + 1);
  const operation = operationOf(segments, method);
  if (operation !== undefined) {
    const [type, id] = operation === "metadata" ? [] : segments.slice(0, -1);
    if (type !== undefined && resourceTypeId(type) === undefined) throw unknownTarget();
    return { type, id, isHistory: false, version: undefined, member: undefined, operation, query };
  }
  const name = segments.find((segment) => segment.startsWith("$"));
  if (name !== undefined && !(isReading && name === "$everything" && segments[0] === "Patient")) {
    throw unsupportedOperation(name.slice(0, 64));
  }
  // Of a type or of the system, the history stands where an id or a type would.
  const found = segments.indexOf("_history");
  const place = found === 0 || found === 1 ? found : 2;
  const [type, id] = segments.slice(0, place);
  const [below, version, ...more] = segments.slice(place);
  const isHistory = below === "_history";
  const isKnown = type === undefined || type === "" || resourceTypeId(type) !== undefined;
  const isBelow = below === undefined || isHistory || (isReading && version === undefined && isMember(type, below));
  const hasVersion = version !== undefined && id === undefined;
  if (!isKnown || more.length > 0 || hasVersion || !isBelow) {
    throw unknownTarget();
  }
  return {
    type: type === "" ? undefined : type,
    id: id === "" ? undefined : id,
    isHistory,
    version,
    member: isHistory ? undefined : below,
    operation: undefined,
    query,
  };
}

function unknownTarget(): StokerError {
  return invalid("request.url: this is not a resource type, resource or version of this server.", "request.url");
}

function unsupportedOperation(name: string): StokerError {
  const text = `request.url: ${name} is not supported in a Bundle in this way: send it by itself. A Bundle may have $meta, POST of $validate, and GET of $everything of a Patient.`;
  return new StokerError("not-supported", text, { expression: "request.url" });
}

const SEARCH_BY_POST = /(?:^|\/)_search\/?(?:\?|$)/;
const FORM = "application/x-www-form-urlencoded";

/** The target of a search by POST, whose parameters may also be the entry's resource: a Parameters, or a form in a Binary. */
function withForm(target: EntryTarget, value: JsonValue | undefined, bytes: Buffer | undefined): EntryTarget {
  if (value === undefined) return target;
  const form = belowResource(() => {
    const body = checkEntryResource(value, bytes);
    if (body.type === "Parameters") return new URLSearchParams(operationParameters(body.text)).toString();
    const { contentType, data } = body.resource;
    const isForm = typeof contentType === "string" && contentType.split(";", 1)[0]?.trim().toLowerCase() === FORM;
    if (body.type === "Binary" && isForm) return typeof data === "string" ? Buffer.from(data, "base64").toString() : "";
    throw invalid(`The parameters of a search must be a Parameters resource or a Binary of ${FORM}.`, "resourceType");
  });
  return { ...target, query: [target.query, form].filter((part) => part !== "").join("&") };
}

/** `_search`, `[type]/_search` and those in a compartment mean what the path before them does, as outside of Bundles. */
function withoutSearch(segments: readonly string[], isReading: boolean): readonly string[] {
  if (!isReading || segments.at(-1) !== "_search" || segments.length === 3) return segments;
  return segments.length === 1 ? [""] : segments.slice(0, -1);
}

/** `metadata`, `[type]/$validate` by POST, `[type]/[id]/$validate` and `$meta` at all levels by POST and GET. */
function operationOf(segments: readonly string[], method: EntryRequest["method"]): EntryTarget["operation"] {
  const [type = "", ...below] = segments;
  if (method === "GET" && type === "metadata" && below.length === 0) return "metadata";
  const isCall = method === "POST" || method === "GET";
  if (isCall && segments.at(-1) === "$meta" && segments.length <= 3) return "$meta";
  if (below.at(-1) !== "$validate" || below.length > 2 || resourceTypeId(type) === undefined) return undefined;
  return method === "POST" || (method === "GET" && below.length === 2) ? "$validate" : undefined;
}

/** Whether something of this name can be read below resources of the type. */
function isMember(type: string | undefined, name: string): boolean {
  if (name === "$everything") return type === "Patient";
  return name === "*" || resourceTypeId(name) !== undefined;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function lastNamed(members: readonly JsonMember[], name: string): JsonMember | undefined {
  return members.findLast((member) => member.name === name);
}

function textOf(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function invalid(text: string, expression: string | undefined): StokerError {
  const detail = expression === undefined ? {} : { expression };
  return new StokerError("bad-request", text, { issue: "structure", ...detail });
}

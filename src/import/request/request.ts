import { StokerError } from "../../base/errors.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import type { Sources } from "../../source/sources.ts";
import {
  DEFAULT_UNIT_BYTES,
  type ImportDefinition,
  type ImportInput,
  type ImportMode,
  type ImportRequest,
} from "./definition.ts";
import { readParameters, type Parameter } from "./parameters.ts";

/** What the rules of registration need to know of the server. */
export interface ServerFacts {
  /** Public FHIR base without a trailing slash. */
  readonly baseUrl: string;
  readonly importEnabled: boolean;
  /** The server is in initial-import mode, so that `InitialLoad` needs no `force`. */
  readonly initialImportMode: boolean;
  /** Greatest number of inputs of one import (decision D-09). */
  readonly maxInputs: number;
  /** Decides which URLs may be read. */
  readonly sources: Pick<Sources, "checkConfigured" | "duplicateKey" | "checkUrl">;
}

/** The parts of an HTTP request that registration reads. Headers that came several times are joined by `, `. */
export interface RequestParts {
  readonly prefer: string | undefined;
  readonly contentType: string | undefined;
  /** Query string of the POST with its `?`, or empty. */
  readonly query: string;
  readonly body: string;
}

/** Parameters of the top level that may come once only. */
const SINGLETONS = [
  "inputFormat",
  "inputSource",
  "storageDetail",
  "mode",
  "force",
  "allowNegativeVersions",
  "eventualConsistency",
  "errorContainerName",
  "processingUnitBytesToRead",
] as const;

/** R4's concrete types and, as in the contract's R-010, the two abstract ones. */
const KNOWN_TYPES: ReadonlySet<string> = new Set([...RESOURCE_TYPES, "Resource", "DomainResource"]);

const INT32_MAX = 2_147_483_647;

/**
 * Checks `Prefer` and `Content-Type` (R-001, R-002; decisions D-16, D-17). Apart from the rest, because it comes before
 * the body is looked at. Throws `bad-request` with the contract's text.
 */
export function checkImportHeaders(prefer: string | undefined, contentType: string | undefined): void {
  if (!(prefer ?? "").split(",").some((token) => /^\s*respond-async\s*(;|$)/i.test(token))) {
    throw refused(`Value supplied, ${prefer ?? ""},  for the "Prefer" header is not supported.`);
  }
  if (!/application\/(fhir\+)?json/i.test(contentType ?? "")) {
    throw refused(`Value supplied, ${contentType ?? ""},  for the "Content-Type" header is not supported.`);
  }
}

/**
 * From the POST to what is to be registered: the rules of contract 1.4, in the order of contract 1.1, with
 * the decisions D-09, D-16 to D-18, D-24 and D-25. Throws `bad-request` with the contract's text on the first rule that
 * is broken.
 */
export function readImportRequest(parts: RequestParts, facts: ServerFacts): ImportRequest {
  checkImportHeaders(parts.prefer, parts.contentType);
  if (!facts.importEnabled) throw refused('The requested "import" operation is not enabled');
  const parameters = readParameters(parts.body);
  if (parameters === undefined) {
    throw refused("Import request must be specified as a Paramters.  The body provided in this request is not valid. ");
  }
  const top = singletons(parameters);

  const inputFormat = top.get("inputFormat")?.value ?? "";
  if (inputFormat.toLowerCase() !== "application/fhir+ndjson") throw invalidValue("inputFormat");
  const storageType = partValue(top.get("storageDetail"), "type") ?? "azure-blob";
  if (storageType.toLowerCase() !== "azure-blob") throw invalidValue("storageDetails");
  const inputs = readInputs(parameters, facts);
  const mode = readMode(top.get("mode")?.value ?? null);
  if (mode === "InitialLoad" && !isTrue(top.get("force")) && !facts.initialImportMode) {
    throw refused(
      "Initial import mode is not enabled. Please update service configuration to enable initial import mode.",
    );
  }

  const definition: ImportDefinition = {
    inputFormat: inputFormat.toLowerCase(),
    inputSource: top.get("inputSource")?.value ?? null,
    storageType: storageType.toLowerCase(),
    mode,
    allowNegativeVersions: isTrue(top.get("allowNegativeVersions")),
    eventualConsistency: isTrue(top.get("eventualConsistency")),
    errorContainerName: top.get("errorContainerName")?.value || null,
    processingUnitBytesToRead: readUnitBytes(top.get("processingUnitBytesToRead")?.value ?? null),
  };
  return { requestUrl: `${facts.baseUrl}/$import${parts.query}`, definition, inputs };
}

function readInputs(parameters: readonly Parameter[], facts: ServerFacts): readonly ImportInput[] {
  const inputs = parameters.filter((parameter) => parameter.name === "input").map(readInput);
  if (inputs.length === 0) throw invalidValue("input");
  if (inputs.length > facts.maxInputs) {
    throw refused(`Number of input files must not exceed ${String(facts.maxInputs)}.`);
  }
  facts.sources.checkConfigured();
  const duplicates = findDuplicates(inputs, facts.sources);
  if (duplicates.length > 0) {
    throw refused(`Import request cannot have duplicate files. Found duplicates: ${duplicates.join(", ")}. `);
  }
  const checked = inputs.map(({ type, url, etag }) => {
    if (type !== null && !KNOWN_TYPES.has(type)) throw unsupportedType(type);
    return { type, url: facts.sources.checkUrl(url).url, etag };
  });
  if (checked.some((input) => input.type === "SearchParameter")) throw unsupportedType("SearchParameter");
  return checked;
}

/** An input as it was sent, its URL maybe missing or with a signature. */
interface SentInput {
  readonly type: string | null;
  readonly url: string | undefined;
  readonly etag: string | null;
}

function readInput(parameter: Parameter): SentInput {
  const url = partValue(parameter, "url") ?? undefined;
  return { type: partValue(parameter, "type"), url, etag: partValue(parameter, "etag") };
}

/** URLs that stand more than once, compared as URIs, each listed once as first written. */
function findDuplicates(inputs: readonly SentInput[], sources: ServerFacts["sources"]): readonly string[] {
  const seen = new Map<string, { shown: string; repeated: boolean }>();
  for (const { url } of inputs) {
    const key = sources.duplicateKey(url);
    const before = seen.get(key);
    // Cut before the query string: a signature is never shown (decision D-18).
    if (before === undefined) seen.set(key, { shown: (url ?? "").replace(/\?.*$/s, ""), repeated: false });
    else before.repeated = true;
  }
  return [...seen.values()].filter((entry) => entry.repeated).map((entry) => entry.shown);
}

function readMode(value: string | null): ImportMode {
  switch ((value || "IncrementalLoad").toLowerCase()) {
    case "incrementalload":
      return "IncrementalLoad";
    case "initialload":
      return "InitialLoad";
    default:
      throw refused(
        'Import mode can be either "InitialLoad"or "IncrementalLoad". Please add appropriate mode value to parameters.',
      );
  }
}

/** Contract 1.3: 0, absent, unparsable or above int32 is the default; a negative size is a 400. */
function readUnitBytes(value: string | null): number {
  if (value === null || !/^\s*[+-]?\d+\s*$/.test(value)) return DEFAULT_UNIT_BYTES;
  const bytes = Number(value);
  if (bytes < 0) throw invalidValue("processingUnitBytesToRead");
  return bytes === 0 || bytes > INT32_MAX ? DEFAULT_UNIT_BYTES : bytes;
}

function singletons(parameters: readonly Parameter[]): ReadonlyMap<string, Parameter> {
  const found = new Map<string, Parameter>();
  for (const parameter of parameters) {
    if (!(SINGLETONS as readonly string[]).includes(parameter.name)) continue;
    if (found.has(parameter.name)) throw refused(`The parameter ${parameter.name} must not be repeated.`);
    found.set(parameter.name, parameter);
  }
  return found;
}

/** The value of the first part of that name (contract 1.3: the first counts); null when absent or empty. */
function partValue(parameter: Parameter | undefined, name: string): string | null {
  return parameter?.parts.find((part) => part.name === name)?.value || null;
}

function isTrue(parameter: Parameter | undefined): boolean {
  return parameter?.value?.trim().toLowerCase() === "true";
}

function unsupportedType(type: string): StokerError {
  return refused(`Requested operation does not support resource type: ${type}.`);
}

function invalidValue(parameter: string): StokerError {
  return refused(`Value of the following parameter ${parameter} is invalid.`);
}

function refused(message: string): StokerError {
  return new StokerError("bad-request", message);
}

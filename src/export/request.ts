import { StokerError } from "../base/errors.ts";
import { operationParameters } from "../fhir/operation-parameters.ts";
import { instantMilliseconds, isInstant } from "../fhir/primitives.ts";
import { RESOURCE_TYPES, resourceTypeId } from "../fhir/resource-types.ts";
import type { SearchParameterLookup } from "../fhir/custom-search-parameters.ts";
import { parseSelectionQuery, patientTypes, REFERRED_TYPES } from "../search/type-filter.ts";
import { checkElements } from "../search/projection/shape.ts";
import type { ExportDefinition } from "./definition.ts";

/** A kick-off as it came in. */
export interface ExportRequest {
  readonly level: ExportDefinition["level"];
  /** Id of the Group, for level `group`. */
  readonly group?: string;
  /** All `Prefer` headers. */
  readonly prefer: string | undefined;
  /** Decoded names and values of the query string. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** The body of a POST, a Parameters resource; undefined for a GET. */
  readonly body: string | undefined;
  /** This server's base, without a slash at the end. */
  readonly baseUrl: string;
  /** The search parameters there are; R4's, where nothing else is said. */
  readonly lookup?: SearchParameterLookup;
}

/** An understood kick-off. */
export interface ReadExport {
  readonly definition: ExportDefinition;
  /** Texts about what was left out of account (`Prefer: handling=lenient`). */
  readonly warnings: readonly string[];
}

/**
 * Reads a kick-off (Bulk Data Access 2.0, "Bulk Data Kick-off Request"). What is not understood or not supported is an
 * error, `bad-request` or `not-supported`, and with `Prefer: handling=lenient` a warning where an export without it is
 * not a wrong one. Pure.
 */
export function readExportRequest(request: ExportRequest): ReadExport {
  const preferences = (request.prefer ?? "").split(/[,;]/).map((part) => part.trim().toLowerCase());
  if (!preferences.includes("respond-async")) {
    throw bad("An export needs the header `Prefer: respond-async`.", "Prefer");
  }
  const reader = new ParameterReader(request, preferences.includes("handling=lenient"));
  for (const [name, value] of [...request.query, ...operationParameters(request.body)]) reader.take(name, value);
  return { definition: reader.finish(), warnings: reader.warnings };
}

/** What `_outputFormat` may say: all of them mean NDJSON. */
const FORMATS: ReadonlySet<string> = new Set(["application/fhir+ndjson", "application/ndjson", "ndjson"]);

/** Parameters that concern the answer to the kick-off, and have no effect. */
const ANSWER: ReadonlySet<string> = new Set(["_format", "_pretty"]);

class ParameterReader {
  readonly warnings: string[] = [];
  readonly #request: ExportRequest;
  readonly #lenient: boolean;
  /** Types of an export that names none, and those that one may name. */
  readonly #usual: readonly string[];
  readonly #possible: readonly string[];
  #types: Set<string> | undefined;
  #since: number | undefined;
  #until: number | undefined;
  readonly #elements: { type?: string; name: string }[] = [];
  readonly #filters: { type: string; query: string }[] = [];
  #patients: Set<string> | undefined;
  #history = false;
  #deleted = false;
  #container: string | undefined;

  constructor(request: ExportRequest, lenient: boolean) {
    this.#request = request;
    this.#lenient = lenient;
    this.#usual = request.level === "system" ? RESOURCE_TYPES : patientTypes();
    this.#possible = request.level === "group" ? [...this.#usual, ...REFERRED_TYPES] : this.#usual;
  }

  take(name: string, value: string): void {
    switch (name) {
      case "_outputFormat":
        // A `+` that was not escaped in a query string arrives as a space.
        if (FORMATS.has(value.trim().replace("fhir ndjson", "fhir+ndjson"))) return;
        throw bad("_outputFormat: application/fhir+ndjson is the only format.", name);
      case "_since":
        this.#since = instantOf(name, value);
        return;
      case "_until":
        this.#until = instantOf(name, value);
        return;
      case "_type":
        this.#types ??= new Set();
        for (const type of listOf(value)) this.#takeType(type);
        return;
      case "_elements":
        for (const path of listOf(value)) this.#takeElement(path);
        return;
      case "_typeFilter":
        for (const filter of filtersOf(value)) this.#takeFilter(filter);
        return;
      case "patient":
        this.#takePatient(value);
        return;
      case "includeAssociatedData":
        for (const code of listOf(value)) this.#takeAssociated(code);
        return;
      case "_container":
        this.#container = value;
        return;
      default:
        if (!ANSWER.has(name)) this.#leaveOut(`Parameter '${name.slice(0, 64)}' is not supported.`, name);
    }
  }

  finish(): ExportDefinition {
    const { level, group } = this.#request;
    const types = this.#types === undefined ? this.#usual : this.#possible.filter((type) => this.#types?.has(type));
    if (types.length === 0) throw bad("_type: does not name a type that this export can include.", "_type");
    if (this.#patients !== undefined && level === "system") {
      throw bad("patient: only applies to exports of patients and groups.", "patient");
    }
    const filters = this.#filters.filter(({ type }) => {
      if (types.includes(type)) return true;
      this.#leaveOut(`_typeFilter: ${type} is not one of the exported types.`, "_typeFilter");
      return false;
    });
    if (this.#deleted && (level !== "system" || filters.length > 0)) {
      const what = "includeAssociatedData: _deleted needs an export of the system without _typeFilter, because";
      throw new StokerError(
        "not-supported",
        `${what} deleted resources are not in a compartment and not found by a search.`,
        {
          expression: "includeAssociatedData",
        },
      );
    }
    if (this.#elements.length > 0 && (this.#history || this.#deleted)) {
      throw bad("_elements: cannot be combined with includeAssociatedData.", "_elements");
    }
    return {
      level,
      ...(group === undefined ? {} : { group }),
      ...(this.#patients === undefined ? {} : { patients: [...this.#patients] }),
      types: types.toSorted(),
      ...(this.#since === undefined ? {} : { since: this.#since }),
      ...(this.#until === undefined ? {} : { until: this.#until }),
      elements: this.#elements,
      filters,
      history: this.#history,
      deleted: this.#deleted,
      ...(this.#container === undefined ? {} : { container: this.#container }),
    };
  }

  #takeType(type: string): void {
    if (this.#possible.includes(type)) {
      this.#types?.add(type);
    } else if (resourceTypeId(type) === undefined) {
      this.#leaveOut(`_type: '${type.slice(0, 64)}' is not a resource type of FHIR R4.`, "_type");
    } else {
      this.#leaveOut(`_type: resources of type ${type} are in no patient's compartment.`, "_type");
    }
  }

  #takeElement(path: string): void {
    const match = /^(?:([A-Z][A-Za-z]*)\.)?([a-z][A-Za-z]{0,63})$/.exec(path);
    const [, type, name] = match ?? [];
    if (name === undefined || (type !== undefined && resourceTypeId(type) === undefined)) {
      this.#leaveOut(`_elements: '${path.slice(0, 64)}' is not a top-level element of a resource.`, "_elements");
      return;
    }
    try {
      checkElements([name], type === undefined ? RESOURCE_TYPES : [type]);
    } catch (error) {
      if (!(error instanceof StokerError)) throw error;
      this.#leaveOut(error.message, "_elements");
      return;
    }
    this.#elements.push(type === undefined ? { name } : { type, name });
  }

  #takeFilter({ type, query }: { type: string; query: string | undefined }): void {
    if (resourceTypeId(type) === undefined || query === undefined) {
      throw bad(
        `_typeFilter: '${type.slice(0, 64)}' does not begin with a resource type and a question mark.`,
        "_typeFilter",
      );
    }
    try {
      parseSelectionQuery(type, query, this.#request);
    } catch (error) {
      if (!(error instanceof StokerError)) throw error;
      throw new StokerError(error.code, `_typeFilter: ${error.message}`, { expression: "_typeFilter", cause: error });
    }
    this.#filters.push({ type, query });
  }

  #takePatient(reference: string): void {
    const base = `${this.#request.baseUrl}/`;
    const relative = reference.startsWith(base) ? reference.slice(base.length) : reference;
    const id = /^Patient\/([A-Za-z0-9.-]{1,64})$/.exec(relative)?.[1];
    if (id === undefined) throw bad("patient: needs references like Patient/[id].", "patient");
    this.#patients ??= new Set();
    this.#patients.add(id);
  }

  #takeAssociated(code: string): void {
    if (code === "_history") this.#history = true;
    else if (code === "_deleted") this.#deleted = true;
    else this.#leaveOut(`includeAssociatedData: '${code.slice(0, 64)}' is not supported.`, "includeAssociatedData");
  }

  #leaveOut(text: string, expression: string): void {
    if (!this.#lenient) throw new StokerError("not-supported", text, { expression });
    this.warnings.push(`${text} It was ignored.`);
  }
}

function listOf(value: string): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function instantOf(name: string, value: string): number {
  // A `+` that was not escaped in a query string arrives as a space.
  const text = value.trim().replace(/ (\d\d:\d\d)$/, "+$1");
  const milliseconds = isInstant(text) ? instantMilliseconds(text) : undefined;
  if (milliseconds !== undefined) return milliseconds;
  throw bad(`${name}: needs an instant with a time zone, like 2026-01-31T12:00:00Z.`, name);
}

/** Searches joined by commas: a comma separates two of them where a type with a question mark follows. */
function filtersOf(value: string): { type: string; query: string | undefined }[] {
  return value.split(/,(?=[A-Z][A-Za-z]*\?)/).map((text) => {
    const mark = text.indexOf("?");
    // A type alone would let all of it through.
    if (mark < 0) return { type: text.trim(), query: undefined };
    return { type: text.slice(0, mark).trim(), query: text.slice(mark + 1) };
  });
}

function bad(text: string, expression: string): StokerError {
  return new StokerError("bad-request", text, { expression });
}

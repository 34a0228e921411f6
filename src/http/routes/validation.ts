import { StokerError } from "../../base/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../base/json.ts";
import { ownTurnFor } from "../../base/own-turn.ts";
import type { Issue } from "../../fhir/operation-outcome.ts";
import { isSubsetted, SUBSETTED } from "../../fhir/subsetted.ts";
import { DEFINING_TYPE } from "../../write/single/define-parameters.ts";
import { notesOf } from "../../write/single/definition-notes.ts";
import { repeatedIssue } from "../../write/check-body/checked-body.ts";
import { parseText, validate, type Validation } from "../../write/check-body/validate.ts";
import type { ReadContext } from "../../search/context/context.ts";
import { read } from "../../search/read.ts";
import { readValidateRequest, resourceText } from "./validate-request.ts";

/** A `$validate` as it came. */
export interface ValidationRequest {
  type: string;
  /** Undefined when it is one of the type. */
  id: string | undefined;
  query: readonly (readonly [string, string])[];
  /** A resource, or a Parameters; undefined when there is none. */
  body: Buffer | undefined;
}

/** Problems that are listed of one resource. */
const MAX_ISSUES = 100;

/**
 * All problems that the structural checks find. Profiles are not checked: who asks for one is told so by `not-supported`. Throws
 * `bad-request`, `not-found` and `gone`, too.
 */
export async function validationIssues(reading: ReadContext, request: ValidationRequest): Promise<readonly Issue[]> {
  const { type, id } = request;
  const stored = id === undefined ? undefined : async () => await storedBytes(reading, type, id);
  const bytes = request.body?.length ?? 0;
  await ownTurnFor(bytes);
  const parsed = request.body === undefined ? undefined : parseText(request.body);
  if (parsed !== undefined && "issue" in parsed) return [errorOf(parsed.issue)];
  const { mode, profile, resource } = readValidateRequest(type, parsed?.value, request.query);
  if (mode === "profile" || profile !== undefined) {
    throw new StokerError("not-supported", "Profiles are not checked: only the structure of FHIR R4 is.", {
      expression: profile === undefined ? "mode" : "profile",
    });
  }
  if (mode === "delete") {
    if (stored === undefined) throw new StokerError("bad-request", "mode: delete is for one resource: [type]/[id].");
    await stored();
    return [note("The resource can be deleted.")];
  }
  let value = resource;
  let text: string | undefined;
  if (value === undefined) {
    if (stored === undefined) throw new StokerError("bad-request", "There is no resource to validate.");
    const bytes = await stored();
    const read = parseText(bytes);
    if ("issue" in read) return [errorOf(read.issue)];
    value = read.value;
    text = bytes.toString();
  } else if (request.body !== undefined) {
    text = value === parsed?.value ? request.body.toString() : resourceText(request.body);
  }
  if (mode === "update" && id === undefined && !hasId(value)) {
    return [
      ...issuesOf(validate(value, text, { type, id }, MAX_ISSUES - 1), type).filter(
        ({ severity }) => severity === "error",
      ),
      { severity: "error", code: "required", diagnostics: "An update needs an id.", expression: [`${type}.id`] },
    ];
  }
  await ownTurnFor(bytes);
  const validation = validate(value, text, { type, id }, MAX_ISSUES);
  await ownTurnFor(bytes);
  const repeated =
    parsed === undefined || request.body === undefined ? undefined : repeatedIssue(parsed.value, request.body);
  if (repeated !== undefined) validation.issues.push(repeated);
  const isDefinition = validation.issues.length === 0 && type === DEFINING_TYPE;
  const notes = isDefinition ? notesOf(value as JsonObject, idOf(value), await reading.searchParameters.current()) : [];
  return [
    ...issuesOf(validation, type),
    ...notes,
    ...(resource !== undefined && isSubsetted(value) ? [shortened(type)] : []),
  ];
}

function issuesOf({ issues, isCut, profiles }: Validation, type: string): Issue[] {
  const found = issues.map(errorOf);
  if (isCut) found.push(note(`The check stopped after ${MAX_ISSUES} problems; there may be more.`));
  if (issues.length === 0) {
    const unchecked =
      "missing elements, invariants, profiles and codes of bindings that are not required are not checked";
    found.push(note(`The structural checks found no problems; ${unchecked}.`));
  }
  if (profiles.length > 0) {
    const diagnostics = "The profiles that the resource names are not checked.";
    found.push({ severity: "warning", code: "not-supported", diagnostics, expression: [`${type}.meta.profile`] });
  }
  return found;
}

/** What an update would refuse, and a create would not. */
function shortened(type: string): Issue {
  const diagnostics = `The tag ${SUBSETTED.code} says that elements are left out: no update of a resource that is there takes it.`;
  return { severity: "warning", code: "business-rule", diagnostics, expression: [`${type}.meta.tag`] };
}

function errorOf({ code, text, expression }: Validation["issues"][number]): Issue {
  return { severity: "error", code, diagnostics: text, ...(expression !== undefined && { expression: [expression] }) };
}

function note(diagnostics: string): Issue {
  return { severity: "information", code: "informational", diagnostics };
}

async function storedBytes(reading: ReadContext, type: string, id: string): Promise<Buffer> {
  const { body, version } = await read(reading, type, id);
  if (body !== undefined) return body;
  throw new StokerError("gone", `Resource ${type}/${id} was deleted in version ${version.versionId}.`);
}

function hasId(value: JsonValue): boolean {
  return idOf(value) !== undefined;
}

function idOf(value: JsonValue): string | undefined {
  const id = isObject(value) ? value["id"] : undefined;
  return typeof id === "string" && id !== "" ? id : undefined;
}

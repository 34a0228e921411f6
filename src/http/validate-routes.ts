import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StokerError } from "../base/errors.ts";
import type { JsonValue } from "../base/json.ts";
import { operationOutcomeOf, type Issue } from "../fhir/operation-outcome.ts";
import { repeatedIssue } from "../import/checked-body.ts";
import { parseText, validate, type ParsedText, type Validation } from "../import/validate.ts";
import type { ReadContext } from "../search/context.ts";
import { read } from "../search/read.ts";
import { queryOf } from "./answer-version.ts";
import { sendResource } from "./content-negotiation.ts";
import { knownType } from "./known-type.ts";
import { readValidateRequest } from "./validate-request.ts";
import { takeJson } from "./write-routes.ts";

/** What the routes are registered with. */
export interface ValidateRoutesOptions {
  reading: ReadContext;
}

/** Greatest body: a resource, and what a Parameters has around it. */
const BODY_BYTES = 17 * 1024 * 1024;

/** Problems that are listed of one resource. */
const MAX_ISSUES = 100;

/**
 * `$validate` of types and instances (http://hl7.org/fhir/R4/resource-operation-validate.html), for a prefix `/fhir`: all
 * problems that the structural checks find. Profiles are not checked, and who asks for one is told so by an error.
 */
export async function validateRoutes(app: FastifyInstance, { reading }: ValidateRoutesOptions): Promise<void> {
  app.removeAllContentTypeParsers();
  takeJson(app, BODY_BYTES);

  app.post<Route>("/:type/$validate", (request, reply) => answer(request, reply, undefined));
  app.post<Route>("/:type/:id/$validate", (request, reply) =>
    answer(request, reply, () => storedBytes(reading, request)),
  );
  app.get<Route>("/:type/:id/$validate", (request, reply) =>
    answer(request, reply, () => storedBytes(reading, request)),
  );
}

interface Route {
  Params: { type: string; id?: string };
}

async function answer(
  request: FastifyRequest<Route>,
  reply: FastifyReply,
  stored: (() => Promise<Buffer>) | undefined,
): Promise<FastifyReply> {
  const type = typeOf(request);
  const { id } = request.params;
  const parsed = parsedBody(request);
  if (parsed !== undefined && "issue" in parsed) return send(request, reply, [errorOf(parsed.issue)]);
  const { mode, profile, resource } = readValidateRequest(type, parsed?.value, queryOf(request));
  if (mode === "profile" || profile !== undefined) {
    throw new StokerError("not-supported", "Profiles are not checked: only the structure of FHIR R4 is.", {
      expression: profile === undefined ? "mode" : "profile",
    });
  }
  if (mode === "delete") {
    if (stored === undefined) throw new StokerError("bad-request", "mode: delete is for one resource: [type]/[id].");
    await stored();
    return send(request, reply, [note("Nothing is in the way of a deletion.")]);
  }
  let value = resource;
  if (value === undefined) {
    if (stored === undefined) throw new StokerError("bad-request", "There is no resource to validate.");
    const read = parseText(await stored());
    if ("issue" in read) return send(request, reply, [errorOf(read.issue)]);
    value = read.value;
  }
  if (mode === "update" && id === undefined && !hasId(value)) {
    return send(request, reply, [
      ...issuesOf(validate(value, { type, id }, MAX_ISSUES - 1), type).filter(({ severity }) => severity === "error"),
      { severity: "error", code: "required", diagnostics: "An update needs an id.", expression: [`${type}.id`] },
    ]);
  }
  const validation = validate(value, { type, id }, MAX_ISSUES);
  const repeated = parsed === undefined ? undefined : repeatedIssue(parsed.value, request.body as Buffer);
  if (repeated !== undefined) validation.issues.push(repeated);
  return send(request, reply, issuesOf(validation, type));
}

function issuesOf({ issues, isCut, profiles }: Validation, type: string): Issue[] {
  const found = issues.map(errorOf);
  if (isCut) found.push(note(`The check ended after ${MAX_ISSUES} problems; there may be more.`));
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

function errorOf({ code, text, expression }: Validation["issues"][number]): Issue {
  return { severity: "error", code, diagnostics: text, ...(expression !== undefined && { expression: [expression] }) };
}

function note(diagnostics: string): Issue {
  return { severity: "information", code: "informational", diagnostics };
}

function send(request: FastifyRequest, reply: FastifyReply, issues: readonly Issue[]): FastifyReply {
  return sendResource(reply, 200, operationOutcomeOf(request.id, issues));
}

function parsedBody({ body }: FastifyRequest): ParsedText | undefined {
  return Buffer.isBuffer(body) && body.length > 0 ? parseText(body) : undefined;
}

async function storedBytes(reading: ReadContext, request: FastifyRequest<Route>): Promise<Buffer> {
  const { type, id = "" } = request.params;
  const { body, version } = await read(reading, type, id);
  if (body !== undefined) return body;
  throw new StokerError("gone", `Resource ${type}/${id} was deleted in version ${version.versionId}.`);
}

function typeOf({ params }: FastifyRequest<Route>): string {
  return knownType(params.type);
}

function hasId(value: JsonValue): boolean {
  const id = typeof value === "object" && value !== null && !Array.isArray(value) ? value["id"] : undefined;
  return typeof id === "string" && id !== "";
}

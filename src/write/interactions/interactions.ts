import { randomUUID } from "node:crypto";
import type { ClientBase } from "pg";
import { StokerError } from "../../base/errors.ts";
import { isSubsetted, SUBSETTED } from "../../fhir/subsetted.ts";
import { checkId, withId, type CheckedBody } from "../check-body/checked-body.ts";
import {
  StalePlan,
  type Change,
  type CurrentVersion,
  type PlanLimits,
  type Precondition,
  type WriteRequest,
} from "../single/write-request.ts";
import type { ReadContext } from "../../search/context/context.ts";
import { findMatches } from "../../search/conditional.ts";
import { isControl } from "../../search/parse/control.ts";
import { hasTag } from "./etag.ts";
import { parseIfMatch } from "./etag.ts";

/** What writing needs, of an application. */
export interface WriteContext extends ReadContext {
  /** As many resources one conditional delete may remove; with 1, several matches are refused. */
  readonly conditionalDeletes: number;
}

/** The settings that conditional interactions need. */
export type ConditionContext = Pick<
  WriteContext,
  "baseUrl" | "dateEquality" | "searchParameters" | "conditionalDeletes"
>;

/** A request of one change, or of several deletions. */
export interface Interaction extends WriteRequest {
  readonly plan: (client: ClientBase, limits: PlanLimits) => Promise<Changes> | Changes;
}

/** At least one change. */
type Changes = readonly [Change, ...Change[]];

/** Preconditions as they come in headers, or in the `request` of a Bundle's entry. */
export interface Preconditions {
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
  /** An HTTP date; of headers only. */
  ifUnmodifiedSince?: string | undefined;
  ifNoneExist?: string | undefined;
}

/** create: the server chooses the id, whatever the body says. With `If-None-Exist` only where nothing matches. */
export function createInteraction(context: ConditionContext, body: CheckedBody, on: Preconditions): Interaction {
  const change: Change = { kind: "put", body: withId(body, randomUUID()), isFresh: true };
  const criteria = on.ifNoneExist === undefined ? undefined : criteriaOf(on.ifNoneExist, body.type);
  if (criteria === undefined) return unconditional(change);
  return conditional(context, body.type, criteria, body.bytes.length, (match) =>
    match === undefined ? change : { kind: "keep", ...match },
  );
}

/** update, and update as create. */
export function updateInteraction(id: string, body: CheckedBody, on: Preconditions): Interaction {
  checkId(id);
  if (body.id !== id) {
    const found = body.id === undefined ? "has no id" : "has another id";
    throw new StokerError("bad-request", `The body ${found}, and the URL says ${body.type}/${id}.`, {
      expression: `${body.type}.id`,
    });
  }
  const { check } = preconditionOf(on, `${body.type}/${id}`);
  const checks = [check, whole(body)].filter((each) => each !== undefined);
  return unconditional({ kind: "put", body: { ...body, id }, ...(checks.length > 0 && { check: all(...checks) }) });
}

/** Conditional update: no match creates (not with `If-Match`, which wants one), one is updated. */
export function conditionalUpdateInteraction(
  context: ConditionContext,
  body: CheckedBody,
  criteria: string,
  on: Preconditions,
): Interaction {
  const { type } = body;
  const newId = body.id ?? randomUUID();
  return conditional(context, type, criteria, body.bytes.length, (match) => {
    if (match === undefined) {
      if (on.ifMatch !== undefined) throw nothingToMatch(type);
      const mustBeNew: Precondition = (current) => {
        if (current === undefined || current.deleted) return;
        throw new StokerError("conflict", `Nothing matches the condition, but ${type}/${newId} is there already.`, {
          expression: `${type}.id`,
        });
      };
      return { kind: "put", body: withId(body, newId), check: mustBeNew };
    }
    if (body.id !== undefined && body.id !== match.id) {
      throw new StokerError("bad-request", `The body has a different id than the match, ${type}/${match.id}.`, {
        expression: `${type}.id`,
      });
    }
    const { check } = preconditionOf(on, `${type}/${match.id}`);
    return { kind: "put", body: withId(body, match.id), check: all(isStill(match.versionId), check, whole(body)) };
  });
}

/** delete. Of what is not there, nothing is deleted, and that is no error. */
export function deleteInteraction(type: string, id: string, on: Preconditions): Interaction {
  return unconditional({ kind: "delete", type, id, ...preconditionOf(on, `${type}/${id}`) });
}

/**
 * Conditional delete of the one match, or of all, where the context allows several. Without one it is like any deletion of what is
 * not there: no error. `If-Match` names the version of one.
 */
export function conditionalDeleteInteraction(
  context: ConditionContext,
  type: string,
  criteria: string,
  on: Preconditions,
): Interaction {
  const { conditionalDeletes: limit } = context;
  const deletion = ({ id, versionId }: Match): Change => {
    const { check } = preconditionOf(on, `${type}/${id}`);
    return { kind: "delete", type, id, check: all(isStill(versionId), check) };
  };
  return {
    bytes: 0,
    locks: [conditionName(type, criteria)],
    async plan(client, limits) {
      const [first, ...others] = await findMatches(client, context, type, criteria, limit + 1, limits);
      if (first === undefined) {
        if (on.ifMatch !== undefined) throw nothingToMatch(type);
        return [{ kind: "delete", type, id: "" }];
      }
      if (others.length > 0 && (limit === 1 || on.ifMatch !== undefined)) throw severalMatches(type);
      if (others.length >= limit) throw moreMatches(type, limit);
      return [deletion(first), ...others.map(deletion)];
    },
  };
}

function severalMatches(type: string): StokerError {
  return new StokerError("precondition-failed", `More than one ${type} matches the condition.`, {
    issue: "multiple-matches",
  });
}

function moreMatches(type: string, limit: number): StokerError {
  const text = `More than ${limit} resources of type ${type} match the condition, and a conditional delete removes at most ${limit} (STOKER_CONDITIONAL_DELETE_LIMIT): nothing was deleted.`;
  return new StokerError("precondition-failed", text, { issue: "multiple-matches" });
}

function nothingToMatch(type: string): StokerError {
  return failed(`No ${type} matches the condition, and If-Match requires one.`);
}

/**
 * Refuses criteria where an interaction takes none: R4 has them on `PUT`, `PATCH` and `DELETE` of a type, and for a create in
 * `If-None-Exist`. Leaving them out of account would write what the client made depend on them. `id` is undefined for a create;
 * `known` are parameters that the interaction has. Throws `bad-request`.
 */
export function refuseCriteria(
  type: string,
  id: string | undefined,
  query: string,
  known: readonly string[] = [],
): void {
  const names = [...new URLSearchParams(query).keys()];
  const name = names.find((each) => each !== "" && !GENERAL.has(each) && !known.includes(each));
  if (name === undefined) return;
  const text =
    id === undefined
      ? `POST ${type} does not take search parameters, but the URL has '${name.slice(0, 64)}': send those of a conditional create in If-None-Exist.`
      : `The URL has ${type}/${id} and '${name.slice(0, 64)}': a conditional interaction is on the type, ${type}?${name.slice(0, 64)}=…`;
  throw new StokerError("bad-request", text, { expression: name.slice(0, 64) });
}

/** Parameters that any request may have (http://hl7.org/fhir/R4/http.html#general). */
const GENERAL: ReadonlySet<string> = new Set(["_format", "_pretty", "_summary", "_elements"]);

/** The query of `If-None-Exist`: with or without `?` or `Type?` before it. */
export function criteriaOf(text: string, type: string): string {
  const query = text.trim();
  const mark = query.indexOf("?");
  if (mark < 0) return query;
  const before = query.slice(0, mark);
  if (before === "" || before === type || before.endsWith(`/${type}`)) return query.slice(mark + 1);
  throw new StokerError("bad-request", `If-None-Exist must be a search for ${type}.`);
}

/**
 * The name under which interactions with the same criteria, in whatever spelling and order, wait for one another. A `_sort` or `_count`
 * finds nothing else.
 */
export function conditionName(type: string, criteria: string): string {
  const parameters = new URLSearchParams([...new URLSearchParams(criteria)].filter(([name]) => !isControl(name)));
  parameters.sort();
  return `${type}?${parameters.toString()}`;
}

/** The one resource that a condition finds. */
export interface Match {
  type: string;
  id: string;
  versionId: number;
  lastUpdated: number;
}

function unconditional(change: Change): Interaction {
  const bytes = change.kind === "put" ? change.body.bytes.length : 0;
  const id = change.kind === "put" ? change.body.id : change.id;
  const type = change.kind === "put" ? change.body.type : change.type;
  const isFresh = change.kind === "put" && change.isFresh === true;
  return { bytes, locks: [], resources: isFresh ? [] : [`${type}/${id}`], isPlain: true, plan: () => [change] };
}

/** An interaction on the one match of a condition, or on none. Its plan throws `precondition-failed` for several. */
export function conditional(
  context: ConditionContext,
  type: string,
  criteria: string,
  bytes: number,
  changeFor: (match: Match | undefined, client: ClientBase) => Change | Promise<Change>,
): Interaction {
  return {
    bytes,
    locks: [conditionName(type, criteria)],
    async plan(client, limits) {
      const matches = await findMatches(client, context, type, criteria, 2, limits);
      if (matches.length > 1) throw severalMatches(type);
      return [await changeFor(matches[0], client)];
    },
  };
}

/** The match must be as it was found: otherwise it may no longer match, and is searched for again. */
export function isStill(versionId: number): Precondition {
  return (current) => {
    if (current?.versionId !== versionId) throw new StalePlan();
  };
}

function all(...checks: readonly (Precondition | undefined)[]): Precondition {
  return (current) => {
    for (const check of checks) check?.(current);
  };
}

/**
 * What an answer has shortened must not take the place of what is stored: the elements that it left out would be gone
 * (http://hl7.org/fhir/R4/search.html#summary). Throws `unprocessable`.
 */
function whole({ type, resource }: CheckedBody): Precondition | undefined {
  if (!isSubsetted(resource)) return undefined;
  return (current) => {
    if (current === undefined || current.deleted) return;
    const text = `The body has the tag ${SUBSETTED.code}: its elements are incomplete, and the update would remove the missing ones. To overwrite anyway, remove the tag.`;
    throw new StokerError("unprocessable", text, { issue: "business-rule", expression: `${type}.meta.tag` });
  };
}

/**
 * What `If-Match`, `If-None-Match` and, without the first, `If-Unmodified-Since` ask of the current version of a resource (RFC 9110,
 * 13.2.2). A date that is none is left out of account.
 */
export function preconditionOf(
  { ifMatch, ifNoneMatch, ifUnmodifiedSince }: Preconditions,
  reference: string,
): { check?: Precondition } {
  const unmodifiedSince = ifMatch === undefined ? Date.parse(ifUnmodifiedSince ?? "") : Number.NaN;
  if (ifMatch === undefined && ifNoneMatch === undefined && Number.isNaN(unmodifiedSince)) return {};
  const wanted = ifMatch === undefined ? undefined : parseIfMatch(ifMatch);
  return {
    check: (current) => {
      const isThere = current !== undefined && !current.deleted;
      if (isThere && hasTag(ifNoneMatch, String(current.versionId))) {
        throw failed(`${reference} is there already, in version ${current.versionId}.`);
      }
      // HTTP dates have whole seconds.
      if (isThere && Math.floor(current.lastUpdated / 1000) * 1000 > unmodifiedSince) {
        throw failed(`${reference} was changed after the date in If-Unmodified-Since.`);
      }
      if (wanted === "*" && !isThere) throw failed(`${reference} is not there.`);
      if (wanted instanceof Set && !matchesVersion(wanted, current)) {
        const found = current === undefined ? "not there" : `at version ${current.versionId}`;
        throw failed(`${reference} is ${found}, and If-Match says ${ifMatch ?? ""}.`);
      }
    },
  };
}

function matchesVersion(wanted: ReadonlySet<number>, current: CurrentVersion | undefined): boolean {
  return current !== undefined && wanted.has(current.versionId);
}

function failed(text: string): StokerError {
  return new StokerError("precondition-failed", text);
}

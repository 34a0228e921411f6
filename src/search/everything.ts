import { StokerError } from "../base/errors.ts";
import { compartmentOf } from "../fhir/compartments.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { careCriterion, parseCarePeriod } from "./types/care-dates.ts";
import { readCurrent } from "../store/resources/read.ts";
import type { ReadContext } from "./context/context.ts";
import { MAX_COUNT, parseCount } from "./parse/control.ts";
import type { CriteriaGroup } from "./criteria/criteria.ts";
import type { Include } from "./parse/include.ts";
import { NO_DATE, queryDateRange } from "./criteria/query-date.ts";
import { parseQuery, type SearchRequest } from "./parse/query.ts";
import type { BundleAnswer } from "./answer/links.ts";
import { answerQuery } from "./search.ts";
import { malformed } from "./criteria/value-context.ts";

/**
 * `Patient/[id]/$everything`, or `Patient/$everything` of all patients, where `id` is undefined, as a searchset Bundle in bytes: the patients and what is in their compartments as matches, over
 * pages; and on each page the resources of other types that these refer to (practitioners, organizations, medications …)
 * as `include`, so that one of them can come on several pages. Takes `_since`, `_type`, `_count`, `start` and `end`. Throws
 * `not-found` and `gone` for a patient that is not there, `not-supported` for other parameters.
 */
export async function everything(
  context: ReadContext,
  id: string | undefined,
  parameters: SearchRequest["parameters"],
): Promise<BundleAnswer> {
  const unknown = parameters.find(([name]) => !PARAMETERS.has(name));
  if (unknown !== undefined) {
    throw new StokerError("not-supported", `$everything: parameter '${unknown[0].slice(0, 64)}' is not supported.`, {
      expression: unknown[0].slice(0, 64),
    });
  }
  if (id !== undefined) await checkPatient(context, id);
  const isCounted = parameters.some(([name]) => name === "_count");
  const query = parseQuery({
    type: undefined,
    compartment: { type: "Patient", id, withItself: true },
    parameters: [...(isCounted ? [] : [COUNT]), ...parameters.filter(([name]) => !CARE.has(name)).map(asSearched)],
    strict: true,
    baseUrl: context.baseUrl,
  });
  const includes = includesFor(parameters);
  const groups = inCarePeriod(query.groups, parameters);
  return answerQuery(
    context,
    { ...query, groups, includes, used: parameters.map(asApplied) },
    `Patient/${id === undefined ? "" : `${id}/`}$everything`,
  );
}

/** For the links. */
function asApplied([name, value]: readonly [string, string]): readonly [string, string] {
  return [name, name === "_count" ? `${parseCount(value)}` : value];
}

async function checkPatient({ pool }: ReadContext, id: string): Promise<void> {
  const patient = await readCurrent(pool, "Patient", id);
  if (patient === undefined) throw new StokerError("not-found", `Resource Patient/${id} is not known.`);
  if (patient.deleted) throw new StokerError("gone", `Resource Patient/${id} was deleted.`);
}

/** The period of care that is asked for. */
const CARE: ReadonlySet<string> = new Set(["start", "end"]);

const PARAMETERS: ReadonlySet<string> = new Set([
  "_since",
  "_type",
  "_count",
  "_cursor",
  "_format",
  "_pretty",
  "start",
  "end",
]);

/** All that fits, unless the client asks for less. */
const COUNT = ["_count", `${MAX_COUNT}`] as const;

function asSearched([name, value]: readonly [string, string]): readonly [string, string] {
  if (name !== "_since") return [name, value];
  // A search would take a list, too, or a prefix.
  if (queryDateRange(value) === undefined) throw malformed({ name }, NO_DATE);
  return ["_lastUpdated", `ge${value}`];
}

/** The groups, of one type each, with the period of care added. */
function inCarePeriod(
  groups: readonly CriteriaGroup[],
  parameters: SearchRequest["parameters"],
): readonly CriteriaGroup[] {
  const asked = parameters.filter(([name]) => CARE.has(name));
  if (asked.length === 0) return groups;
  const values = new Map(asked);
  if (values.size < asked.length) throw malformed({ name: asked[0]?.[0] ?? "" }, "occurs twice");
  const period = parseCarePeriod(values.get("start"), values.get("end"));
  return groups.map((group) => ({
    ...group,
    criteria: [...group.criteria, ...(group.types ?? []).map((type) => careCriterion(type, period))],
  }));
}

/** What is in the compartment comes as a match, on one page or another; what is of another type comes with the sources. */
function includesFor(parameters: SearchRequest["parameters"]): Include[] {
  const asked = parameters.filter(([name]) => name === "_type").map(([, value]) => new Set(value.split(",")));
  const targets = RESOURCE_TYPES.filter(
    (type) => compartmentOf("Patient")?.has(type) !== true && asked.every((types) => types.has(type)),
  );
  return [{ direction: "forward", source: undefined, parameter: undefined, targets, iterate: false }];
}

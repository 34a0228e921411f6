import { StokerError } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { resourceKeyOf } from "../fhir/resource-key.ts";
import type { TypeFilter } from "../search/type-filter.ts";
import { BlockCache, readBodies } from "../store/resources/body.ts";
import { readCurrent } from "../store/resources/read.ts";
import { type Queryable } from "../postgres/pool.ts";
import type { ExportDefinition } from "./definition.ts";

/**
 * The patients whose compartments an export is confined to: those of the store, those listed, or the members of the Group;
 * undefined for an export of the system. Throws `not-found` or `gone` for a Group that is not there, `bad-request` for a listed
 * patient that is not in the store, or no member of the Group.
 */
export async function patientsOf(
  db: Queryable,
  definition: ExportDefinition,
  baseUrl: string,
): Promise<TypeFilter["patients"]> {
  const { level, group, patients } = definition;
  if (level === "system") return undefined;
  const members = group === undefined ? undefined : await membersOf(db, group, baseUrl);
  if (patients === undefined) return members === undefined ? "any" : [...(await storedPatients(db, [...members]))];
  const stored = await storedPatients(db, patients);
  const missing = patients.find((id) => !stored.has(id) || members?.has(id) === false);
  if (missing === undefined) return patients;
  const what = stored.has(missing) ? `no member of Group/${group ?? ""}` : "not known";
  throw new StokerError("bad-request", `patient: Patient/${missing} is ${what}.`, { expression: "patient" });
}

/** Ids of the patients that are members, other than inactive ones; perhaps not stored. Members that are groups are left out. */
async function membersOf(db: Queryable, id: string, baseUrl: string): Promise<Set<string>> {
  const group = await readCurrent(db, "Group", id);
  if (group === undefined) throw new StokerError("not-found", `Resource Group/${id} is not known.`);
  if (group.deleted) throw new StokerError("gone", `Resource Group/${id} was deleted.`);
  const [body] = await readBodies(db, new BlockCache(0), [group.place]);
  const { member } = JSON.parse((body ?? Buffer.from("{}")).toString()) as JsonObject;
  const ids = new Set<string>();
  for (const each of Array.isArray(member) ? member : []) {
    if (!isObject(each) || each["inactive"] === true) continue;
    const entity = each["entity"];
    const reference = isObject(entity) ? entity["reference"] : undefined;
    if (typeof reference !== "string") continue;
    const relative = reference.startsWith(`${baseUrl}/`) ? reference.slice(baseUrl.length + 1) : reference;
    const patient = /^Patient\/([A-Za-z0-9.-]{1,64})(?:\/_history\/|$)/.exec(relative)?.[1];
    if (patient !== undefined) ids.add(patient);
  }
  return ids;
}

async function storedPatients(db: Queryable, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>({
    text: "select id from resource_current where key = any($1::bigint[]) and id = any($2::text[]) and segment is not null",
    values: [ids.map((id) => resourceKeyOf("Patient", id)), ids],
  });
  return new Set(rows.map(({ id }) => id));
}

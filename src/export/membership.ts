import type { JsonObject } from "../base/json.ts";
import { compartmentOf } from "../fhir/compartments.ts";
import { displacedIds, resourceKeyOf } from "../fhir/resource-key.ts";
import { searchParameter } from "../fhir/search-parameters.ts";
import { referencesIn } from "../search/answer/body-references.ts";
import type { Queryable } from "../postgres/pool.ts";
import type { ExportDefinition } from "./definition.ts";
import type { UnitItem } from "./unit-rows.ts";
import type { ExportUnit } from "./units.ts";

/** Whether a resource is in the compartment of one of the patients by the texts of its references. */
export type Membership = (item: Pick<UnitItem, "type" | "deleted">, body: Buffer) => Promise<boolean>;

/**
 * What compares the resources of a unit with its patients, in a store in which ids share keys: a reference to a patient who is not
 * stored may have the key of one who is. Undefined where nothing is to be compared. Older versions are exported with the current
 * one, whatever they refer to, and are not compared; neither is what the resources of compartments refer to.
 */
export function openMembership(
  db: Queryable,
  unit: ExportUnit,
  { history }: Pick<ExportDefinition, "history">,
  baseUrl: string,
): Membership | undefined {
  if (unit.kind !== "selected" || history || displacedIds().generation === 0) return undefined;
  const { type, patients } = unit.selection;
  const parameters = (compartmentOf("Patient")?.get(type) ?? []).flatMap((code) => searchParameter(type, code) ?? []);
  if (patients === undefined || type === "Patient" || parameters.length === 0) return undefined;
  const known = new Map<string, boolean>(patients === "any" ? [] : patients.map((id) => [id, true]));
  return async ({ deleted }, body) => {
    if (deleted || body.length === 0) return true;
    const resource = JSON.parse(body.toString("utf8")) as JsonObject;
    for (const parameter of parameters) {
      for (const reference of referencesIn(resource, type, parameter, baseUrl)) {
        if (reference.kind !== "resource" || reference.type !== "Patient") continue;
        const { id } = reference;
        let isMeant = known.get(id);
        if (isMeant === undefined) {
          isMeant = patients === "any" && (await isStored(db, id));
          if (patients === "any") {
            if (known.size >= MOST_KNOWN) known.clear();
            known.set(id, isMeant);
          }
        }
        if (isMeant) return true;
      }
    }
    return false;
  };
}

/** Ids that are remembered: some megabytes. */
const MOST_KNOWN = 50_000;

async function isStored(db: Queryable, id: string): Promise<boolean> {
  const { rows } = await db.query({
    name: "is-stored",
    text: "select from resource_current where key = $1 and id = $2 and segment is not null",
    values: [resourceKeyOf("Patient", id), id],
  });
  return rows.length > 0;
}

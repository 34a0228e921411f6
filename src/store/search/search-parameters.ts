import type { ClientBase, QueryConfig } from "pg";
import {
  lookupOf,
  R4_SEARCH_PARAMETERS,
  type CustomSearchParameter,
  type ParameterDefinition,
  type SearchParameterLookup,
} from "../../fhir/custom-search-parameters.ts";
import type { ExtractionTrees } from "../../fhir/extraction-tree.ts";
import type { Queryable } from "../../postgres/pool.ts";

/** The definitions of one moment. */
export interface Definitions {
  /** Raised with every change. */
  generation: number;
  parameters: readonly CustomSearchParameter[];
}

/** The statement for the beginning of a transaction that writes search values, made with what `generation` defines. */
export function holdStatement(generation: number): string {
  return `call hold_search_parameters(${Math.trunc(generation)})`;
}

/** The statement for the beginning of a transaction that changes definitions; it waits for all that hold them. */
export function changeStatement(generation: number | undefined): string {
  return `call change_search_parameters(${generation === undefined ? "null" : Math.trunc(generation)})`;
}

/** Whether a transaction was refused because the definitions are others than it knew: read them, and write again. */
export function isOutdated(error: unknown): boolean {
  return (error as { code?: unknown } | null | undefined)?.code === "SP001";
}

/** Reads all definitions. */
export async function readDefinitions(db: Queryable): Promise<Definitions> {
  const { rows } = await db.query<{
    generation: number;
    id: number | null;
    resource_id: string;
    definition: ParameterDefinition;
    trees: ExtractionTrees;
    enabled: boolean;
  }>(READ);
  const defined = rows.filter(({ id }) => id !== null);
  return {
    generation: rows[0]?.generation ?? 0,
    parameters: defined.map(({ id, resource_id: resourceId, definition, trees, enabled: isEnabled }) => ({
      ...definition,
      id: id ?? 0,
      components: definition.components ?? [],
      resourceId,
      isEnabled,
      trees,
    })),
  };
}

const READ: QueryConfig = {
  text: `select g.generation, p.id, p.resource_id, p.definition, p.trees, p.enabled
         from search_parameter_generation g left join search_parameter p on true order by p.id`,
};

/** A number for a new parameter, which no other ever has. */
export async function nextParameterId(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ id: number }>("select nextval('search_parameter_id')::integer as id");
  const id = rows[0]?.id;
  if (id === undefined) throw new Error("no number for a search parameter");
  return id;
}

/** Puts a new parameter in the place of what the resource defined so far. In a transaction of {@link changeStatement}. */
export async function storeDefinition(
  client: ClientBase,
  row: { id: number; resourceId: string; definition: ParameterDefinition; trees: ExtractionTrees },
): Promise<void> {
  await client.query("delete from search_parameter where resource_id = $1", [row.resourceId]);
  await client.query("insert into search_parameter (id, resource_id, definition, trees) values ($1, $2, $3, $4)", [
    row.id,
    row.resourceId,
    JSON.stringify(row.definition),
    JSON.stringify(row.trees),
  ]);
  await raiseGeneration(client);
}

/** Changes what is said of a parameter, and not which values it has. In a transaction of {@link changeStatement}. */
export async function updateDefinition(client: ClientBase, id: number, definition: ParameterDefinition): Promise<void> {
  await client.query("update search_parameter set definition = $2 where id = $1", [id, JSON.stringify(definition)]);
  await raiseGeneration(client);
}

/** Forgets what a resource defined; nothing happens where it defined nothing. In a transaction of {@link changeStatement}. */
export async function removeDefinition(client: ClientBase, resourceId: string): Promise<void> {
  const removed = await client.query("delete from search_parameter where resource_id = $1", [resourceId]);
  if (removed.rowCount !== 0) await raiseGeneration(client);
}

/** Says that there are other definitions, or that some were enabled. In the transaction that changes them. */
export async function raiseGeneration(client: ClientBase): Promise<void> {
  await client.query("update search_parameter_generation set generation = generation + 1");
}

/** The search parameters of a database, as this process knows them. */
export interface SearchParameterSource {
  /** As last read; never waits. */
  known(): SearchParameterLookup;
  /** As they are now: asks the database whether they have changed. */
  current(): Promise<SearchParameterLookup>;
}

/** Opens the source of a database; it reads the definitions when they are first asked for, and when they have changed. */
export function openSearchParameters(db: Queryable): SearchParameterSource {
  let generation = 0;
  let lookup = R4_SEARCH_PARAMETERS;
  return {
    known: () => lookup,
    async current() {
      const { rows } = await db.query<{ generation: number }>({
        name: "search-parameter-generation",
        text: "select generation from search_parameter_generation",
      });
      if (rows[0]?.generation === generation) return lookup;
      const read = await readDefinitions(db);
      if (read.generation !== generation) {
        lookup = lookupOf(read.parameters);
        generation = read.generation;
      }
      return lookup;
    },
  };
}

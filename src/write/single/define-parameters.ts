import type { ClientBase } from "pg";
import type { JsonObject } from "../../base/json.ts";
import type { CustomSearchParameter, ParameterDefinition } from "../../fhir/custom-search-parameters.ts";
import { concreteTypes } from "../../fhir/search-parameters.ts";
import { compileDefinition, readDefinition, takenCode, type Unindexed } from "../../index/expression/definition.ts";
import { checkAllNodes, countNodes } from "../../index/expression/work.ts";
import {
  nextParameterId,
  readDefinitions,
  removeDefinition,
  storeDefinition,
  updateDefinition,
} from "../../store/search/search-parameters.ts";

/** The type whose resources define search parameters. */
export const DEFINING_TYPE = "SearchParameter";

/** A SearchParameter resource that is written, or deleted. */
export interface DefinitionChange {
  resourceId: string;
  /** Undefined when it is deleted. */
  resource: JsonObject | undefined;
}

/** The definitions of a database while a transaction that changes them is open. */
export interface DefinitionRegister {
  /**
   * Notes what a change will define; composites come after what they name, and deletions first. Returns why nothing is indexed by it
   * where another resource defines a parameter of the same name for one of its types: then it defines nothing. Throws what
   * `readDefinition` throws.
   */
  take(change: DefinitionChange): Unindexed | undefined;
  /** Carries a change out that was taken. */
  store(change: DefinitionChange): Promise<void>;
}

/**
 * Opens the register in a transaction that has begun with `changeStatement`. A definition that selects other values than
 * before, or is new, gets a new number, and is to be enabled by `$reindex`; one that says something else of the same
 * values stays as it is.
 */
export async function openDefinitionRegister(client: ClientBase): Promise<DefinitionRegister> {
  const { parameters } = await readDefinitions(client);
  const stored = new Map(parameters.map((parameter) => [parameter.resourceId, parameter]));
  const defined = new Map<string, ParameterDefinition>(stored);
  const nodes = new Map(parameters.map(({ resourceId, trees }) => [resourceId, countNodes(trees)]));
  return {
    take({ resourceId, resource }) {
      const find = (url: string): ParameterDefinition[] => [...defined.values()].filter((each) => each.url === url);
      const definition = resource === undefined ? undefined : readDefinition(resource, find);
      if (definition === undefined) {
        defined.delete(resourceId);
        nodes.delete(resourceId);
        return undefined;
      }
      for (const [other, { code, base }] of defined) {
        if (other === resourceId || code !== definition.code) continue;
        const type = sharedType(base, definition.base);
        if (type === undefined) continue;
        defined.delete(resourceId);
        nodes.delete(resourceId);
        return takenCode(type, code, other);
      }
      const others = [...nodes].reduce((sum, [other, count]) => (other === resourceId ? sum : sum + count), 0);
      const own = countNodes(compileDefinition(definition, 0).trees);
      checkAllNodes(others + own);
      nodes.set(resourceId, own);
      defined.set(resourceId, definition);
      return undefined;
    },
    async store({ resourceId }) {
      const definition = defined.get(resourceId);
      if (definition === undefined) return await removeDefinition(client, resourceId);
      const known = stored.get(resourceId);
      if (known !== undefined && hasSameValues(known, definition)) {
        if (known.url === definition.url && known.version === definition.version) return;
        const { composite } = known;
        return await updateDefinition(client, known.id, {
          ...definition,
          ...(composite !== undefined && { composite }),
        });
      }
      const id = await nextParameterId(client);
      const { trees, composite } = compileDefinition(definition, id);
      const row = { ...definition, ...(composite !== undefined && { composite }) };
      await storeDefinition(client, { id, resourceId, definition: row, trees });
    },
  };
}

function hasSameValues(known: CustomSearchParameter, definition: ParameterDefinition): boolean {
  return valuesKey(known) === valuesKey(definition);
}

function valuesKey({ code, type, base, target, expression, components = [] }: ParameterDefinition): string {
  const parts = components.map((part) => [part.definition, part.type, part.target, part.expression]);
  return JSON.stringify([code, type, base, target, expression, ...parts]);
}

function sharedType(bases: readonly string[], others: readonly string[]): string | undefined {
  const types = new Set(bases.flatMap(concreteTypes));
  return others.flatMap(concreteTypes).find((type) => types.has(type));
}

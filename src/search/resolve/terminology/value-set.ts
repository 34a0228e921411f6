import { StokerError } from "../../../base/errors.ts";
import type { JsonObject } from "../../../base/json.ts";
import { readCanonical } from "./canonical.ts";
import { codesOf, createUnion, difference, intersection, sizeOf, wholeSystem, type CodeSet } from "./code-set.ts";
import { filteredCodes, readCodeSystem, type CodeSystem } from "./code-system.ts";
import type { Lookups } from "../../condition/condition.ts";
import { objectIn, objectsIn, textIn, textsIn } from "../../../fhir/json-members.ts";
import { tooCostly } from "../../cost/too-costly.ts";
import { terminologyWork, type Work } from "./work.ts";

/**
 * The codes of a stored value set, named by `ValueSet/id` or by its canonical URL: what its `compose` says, evaluated with
 * other stored value sets and code systems; where that cannot be evaluated, its own `expansion`, if it is whole. A system
 * that is included without more stands for all its codes, whether they are known here or not. `compose.inactive` and
 * `compose.lockedDate` are not looked at. Throws `not-found`, `bad-request`, `not-supported` and `too-costly`, each saying
 * what is in the way.
 */
export async function expandValueSet(lookups: Lookups, reference: string): Promise<CodeSet> {
  return createExpander(lookups, await terminologyWork(lookups))(reference);
}

/** Stored resources that one expansion may read. */
const MAX_READ = 100;
function createExpander(lookups: Lookups, work: Work): (reference: string) => Promise<CodeSet> {
  const expanded = new Map<string, CodeSet>();
  const systems = new Map<string, CodeSystem>();
  const open = new Set<string>();
  let reads = 0;

  async function expand(reference: string): Promise<CodeSet> {
    const known = expanded.get(reference);
    if (known !== undefined) return known;
    if (open.has(reference)) throw new StokerError("bad-request", `ValueSet '${reference}' includes itself.`);
    count();
    const valueSet = await readCanonical(lookups, "ValueSet", reference);
    if (valueSet === undefined) {
      throw new StokerError("not-found", `ValueSet '${reference}' is not stored here.`, { status: 400 });
    }
    open.add(reference);
    const found = await codesIn(valueSet, reference);
    open.delete(reference);
    expanded.set(reference, found);
    return found;
  }

  async function codesIn(valueSet: JsonObject, reference: string): Promise<CodeSet> {
    const compose = objectIn(valueSet["compose"]);
    const own = ownExpansion(valueSet);
    if (compose === undefined) {
      if (own === undefined) throw refused(`ValueSet '${reference}' has no compose and no whole expansion`);
      return own;
    }
    try {
      return await composed(compose);
    } catch (error) {
      if (own !== undefined && error instanceof StokerError && error.code === "not-supported") return own;
      throw error;
    }
  }

  async function composed(compose: JsonObject): Promise<CodeSet> {
    const included = createUnion();
    for (const part of objectsIn(compose["include"])) included.add(await selected(part));
    const excluding = objectsIn(compose["exclude"]);
    if (excluding.length === 0) return included.set;
    // What is excluded may be more than a search may ask for.
    const excluded = createUnion(Infinity);
    for (const part of excluding) excluded.add(await selected(part));
    return difference(included.set, excluded.set, async (url) => (await systemOf(url)).concepts.keys());
  }

  /** An `include` or `exclude`: what its system, and every value set it names, have in common. */
  async function selected(part: JsonObject): Promise<CodeSet> {
    const system = textIn(part["system"]);
    let found = system === undefined ? undefined : await ofSystem(system, part);
    for (const reference of textsIn(part["valueSet"])) {
      const other = await expand(reference);
      await work.spend(1 + sizeOf(other));
      found = found === undefined ? other : intersection(found, other);
    }
    if (found === undefined) throw refused("a part of the value set names neither a system nor a value set");
    await work.spend(1 + sizeOf(found));
    return found;
  }

  async function ofSystem(system: string, part: JsonObject): Promise<CodeSet> {
    const concepts = objectsIn(part["concept"]);
    const filters = objectsIn(part["filter"]);
    const listed = concepts.flatMap((concept) => textIn(concept["code"]) ?? []);
    if (filters.length === 0) return concepts.length === 0 ? wholeSystem(system) : codesOf(system, listed);
    const version = textIn(part["version"]);
    const codeSystem = await systemOf(version === undefined ? system : `${system}|${version}`);
    const sets: ReadonlySet<string>[] = [];
    for (const filter of filters) {
      await work.spend(1 + codeSystem.concepts.size);
      sets.push(filteredCodes(codeSystem, filter));
    }
    if (concepts.length > 0) sets.push(new Set(listed));
    const [first = new Set<string>(), ...others] = sets;
    return codesOf(
      system,
      [...first].filter((code) => others.every((set) => set.has(code))),
    );
  }

  async function systemOf(canonical: string): Promise<CodeSystem> {
    const known = systems.get(canonical);
    if (known !== undefined) return known;
    count();
    const system = await readCodeSystem(lookups, canonical);
    systems.set(canonical, system);
    return system;
  }

  function count(): void {
    if (++reads > MAX_READ) throw tooCostly(`the value set is made of more than ${MAX_READ} others`);
  }

  return expand;
}

/** The codes of an expansion that is said to be whole: not a page of it, not shortened, not filtered. */
function ownExpansion(valueSet: JsonObject): CodeSet | undefined {
  const expansion = objectIn(valueSet["expansion"]);
  if (expansion === undefined || (expansion["offset"] ?? 0) !== 0) return undefined;
  if (objectsIn(expansion["extension"]).some(({ url }) => /valueset-(?:toocostly|unclosed)$/.test(textIn(url) ?? ""))) {
    return undefined;
  }
  if (objectsIn(expansion["parameter"]).some(({ name }) => !HARMLESS.has(textIn(name) ?? ""))) return undefined;
  const all = createUnion();
  let count = 0;
  const waiting = [objectsIn(expansion["contains"])];
  for (const entries of waiting) {
    for (const entry of entries) {
      count++;
      const inner = objectsIn(entry["contains"]);
      if (inner.length > 0) waiting.push(inner);
      const system = textIn(entry["system"]);
      const code = textIn(entry["code"]);
      if (entry["abstract"] === true || code === undefined) continue;
      if (system === undefined) return undefined;
      all.add(codesOf(system, [code]));
    }
  }
  const total = expansion["total"];
  return typeof total === "number" && total !== count ? undefined : all.set;
}

/** Parameters of an expansion that leave no code out. */
const HARMLESS: ReadonlySet<string> = new Set(
  "version used-codesystem used-valueset system-version force-system-version check-system-version displayLanguage includeDesignations includeDefinition".split(
    " ",
  ),
);

function refused(why: string): StokerError {
  return new StokerError("not-supported", `This search cannot be answered: ${why}.`);
}

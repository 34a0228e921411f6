import type { Interaction } from "../../write/interactions/interactions.ts";
import type { EntryRequest } from "./bundle-request.ts";

/**
 * The order in which the entries of a batch write: those about the same resource, or with the same condition, one after another
 * as they stand in the Bundle; all others at once. R4 leaves the order open (http://hl7.org/fhir/R4/http.html#brules), but whoever
 * sends two updates of one resource means the second one to stay.
 *
 * Which resource a condition finds is not known before it is searched for: of one type, conditional entries wait for those before them that
 * are not conditional, and the other way round.
 */
export class EntryOrder {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Carries `work` out in its turn. To be called in the order of the entries; what it throws is thrown here, and stops no other. */
  run<Result>(
    { target: { type = "", id }, method }: Pick<EntryRequest, "target" | "method">,
    { locks }: Pick<Interaction, "locks">,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const isConditional = method === "POST" ? locks.length > 0 : id === undefined;
    const [own, others] = isConditional
      ? [`${type} with a condition`, `${type} by id`]
      : [`${type} by id`, `${type} with a condition`];
    const names = [...locks, ...(id === undefined ? [] : [`${type}/${id}`])];
    const before = [...names, others].flatMap((name) => this.#last.get(name) ?? []);
    const result = before.length === 0 ? work() : Promise.all(before).then(work);
    const ended = result.then(
      () => undefined,
      () => undefined,
    );
    for (const name of names) this.#last.set(name, ended);
    // One promise for all of its kind so far, however many they are.
    const same = this.#last.get(own);
    this.#last.set(own, same === undefined ? ended : Promise.all([same, ended]));
    return result;
  }
}

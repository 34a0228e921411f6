import type { Int64Halves } from "../base/hash.ts";
import type { JsonObject } from "../base/json.ts";
import type { SearchValueSink, TickRange } from "../fhir/search-value.ts";
import { containedResources, type ContainedResource } from "./contained-resources.ts";

/** Finds how a number was written in the source, see `number-literals.ts`. */
export type LiteralOf = (value: number) => string | undefined;

/** A reference of a parameter to a contained resource. */
export interface LocalReference {
  parameter: number;
  resource: ContainedResource;
}

/**
 * Stands between the emitters and the sink while one resource is indexed: no equality number goes out twice, and the
 * numbers of a composite's component can be caught instead of going out. One per indexer, used for all its resources.
 */
export class ValueCollector {
  sink: SearchValueSink = NOWHERE;
  literalOf: LiteralOf | undefined;
  /** The references of the resource to contained ones. */
  localReferences: LocalReference[] = [];
  /** The resource that is indexed, and what it contains, by `#id`, once a reference asks for it. */
  private container: JsonObject = {};
  private contained: ReadonlyMap<string, ContainedResource> | undefined;
  /** Counts resources; what carries the current number has been seen in this one. */
  resource = 1;
  /** Scratch space for emitters; nobody may expect it to survive a call. */
  readonly halves: Int64Halves = { high: 0, low: 0 };
  readonly system: Int64Halves = { high: 0, low: 0 };
  readonly code: Int64Halves = { high: 0, low: 0 };
  readonly range: TickRange = { lowHigh: 0, lowLow: 0, highHigh: 0, highLow: 0 };

  /** Open addressing: pairs of halves, and the resource that put each one there. */
  private pairs = new Int32Array(INITIAL_SLOTS * 2);
  private owners = new Uint32Array(INITIAL_SLOTS);
  private count = 0;
  private caught: number[] | undefined;

  /** `contained`: what references of the form `#id` lead to, where the resource is a contained one itself. */
  begin(
    sink: SearchValueSink,
    resource: JsonObject,
    literalOf: LiteralOf | undefined,
    contained?: ReadonlyMap<string, ContainedResource>,
  ): void {
    this.sink = sink;
    this.container = resource;
    this.contained = contained;
    if (this.localReferences.length > 0) this.localReferences = [];
    this.literalOf = literalOf;
    this.resource++;
    this.count = 0;
    if (this.owners.length > KEPT_SLOTS) {
      this.pairs = new Int32Array(INITIAL_SLOTS * 2);
      this.owners = new Uint32Array(INITIAL_SLOTS);
    }
    if (this.resource === 0xffffffff) {
      this.owners.fill(0);
      this.resource = 1;
    }
  }

  /** The contained resource that `#id` refers to; undefined when there is none. */
  containedResource(reference: string): ContainedResource | undefined {
    return (this.contained ??= containedResources(this.container)).get(reference);
  }

  /** Hands an equality number to the sink, unless this resource has it already. */
  equality(high: number, low: number): void {
    if (this.caught !== undefined) this.caught.push(high, low);
    else if (this.add(high, low)) this.sink.equality(high, low);
  }

  /** Notes a number; true when this resource did not have it. */
  add(high: number, low: number): boolean {
    const { pairs, owners } = this;
    const mask = owners.length - 1;
    let slot = (high ^ (low >>> 7)) & mask;
    while (owners[slot] === this.resource) {
      if (pairs[slot * 2] === high && pairs[slot * 2 + 1] === low) return false;
      slot = (slot + 1) & mask;
    }
    owners[slot] = this.resource;
    pairs[slot * 2] = high;
    pairs[slot * 2 + 1] = low;
    if (++this.count * 2 > owners.length) this.grow();
    return true;
  }

  /** Runs `emit` and returns the halves of the equality numbers it yields, instead of handing them on. */
  catchEquality(emit: () => void): number[] {
    const caught: number[] = [];
    this.caught = caught;
    try {
      emit();
    } finally {
      this.caught = undefined;
    }
    return caught;
  }

  /** Runs `emit` with another sink for the ordered values it yields. */
  divert(sink: SearchValueSink, emit: () => void): void {
    const real = this.sink;
    this.sink = sink;
    try {
      emit();
    } finally {
      this.sink = real;
    }
  }

  private grow(): void {
    const { pairs, owners } = this;
    this.pairs = new Int32Array(pairs.length * 2);
    this.owners = new Uint32Array(owners.length * 2);
    this.count = 0;
    for (let slot = 0; slot < owners.length; slot++) {
      if (owners[slot] === this.resource) this.add(pairs[slot * 2] ?? 0, pairs[slot * 2 + 1] ?? 0);
    }
  }
}

const INITIAL_SLOTS = 1024;
/** One resource with very many values must not keep their memory for all that follow: 800 KB. */
const KEPT_SLOTS = 65_536;

/** A sink that drops everything. */
export const NOWHERE: SearchValueSink = {
  equality: () => undefined,
  date: () => undefined,
  quantity: () => undefined,
  string: () => undefined,
  term: () => undefined,
  qualify: () => undefined,
};

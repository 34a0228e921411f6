import type { ClientBase } from "pg";
import type { Unindexed } from "../../index/expression/definition.ts";
import type { CheckedBody } from "../check-body/checked-body.ts";

/** What a write finds of its resource when it holds the lock on it. */
export interface CurrentVersion {
  versionId: number;
  /** Milliseconds since 1970. */
  lastUpdated: number;
  deleted: boolean;
}

/**
 * A precondition of a change (`If-Match` and the like), asked under the resource's lock: undefined when nothing is
 * current. Throws a StokerError when the change may not be made, {@link StalePlan} when it is to be planned again.
 */
export type Precondition = (current: CurrentVersion | undefined) => void;

/** A new version with this body; its id is the resource's. */
export interface PutChange {
  kind: "put";
  body: CheckedBody & { id: string };
  /** The server has just made up the id: nothing is stored under it. */
  isFresh?: boolean;
  check?: Precondition;
}

/** A deletion that keeps the history. Of what is deleted or not there, nothing is written. */
export interface DeleteChange {
  kind: "delete";
  type: string;
  /** Empty: nothing is to be deleted. */
  id: string;
  check?: Precondition;
}

/** No change: a conditional create that found its resource. */
export interface KeepChange {
  kind: "keep";
  type: string;
  id: string;
  versionId: number;
  lastUpdated: number;
}

/** What is to become of one resource. */
export type Change = PutChange | DeleteChange | KeepChange;

/** Whose a write is. One object stands for one request of a client, whose entries are written in their order. */
export interface WriteOrigin {
  /** Clients take turns: the address, or whatever else tells clients apart. */
  readonly client: string;
  /** Fires when nobody waits for the answer any more: what has not begun is left, and what is searched for is given up. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a plan may search. */
export interface PlanLimits {
  /** Milliseconds. */
  readonly timeout: number;
  /** Fires when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

/** Changes that are made all together or not at all. */
export interface WriteRequest {
  /** About how many bytes of bodies it has. */
  readonly bytes: number;
  /** Names of what must not happen twice at the same time: the criteria of conditional changes. */
  readonly locks: readonly string[];
  /** The resources that are written, as `Type/id`, as far as they are known before planning. Waiting for them costs nobody else time. */
  readonly resources?: readonly string[];
  /** True when the plan asks the database nothing. */
  readonly isPlain?: boolean;
  /**
   * What is to be done, no resource twice. Called with the locks held and outside of a transaction; called again when the
   * write is repeated. Throws StokerErrors for what cannot be done, `too-costly` when the limits are reached.
   */
  readonly plan: (client: ClientBase, limits: PlanLimits) => Promise<readonly Change[]> | readonly Change[];
}

/** What became of a change. */
export interface WrittenResource {
  /** `absent`: a deletion of what was never there. */
  outcome: "created" | "updated" | "deleted" | "kept" | "absent";
  type: string;
  id: string;
  /** Undefined where the outcome is `absent`. */
  version: { versionId: number; lastUpdated: number } | undefined;
  /** The stored bytes, where some were written. */
  body: Buffer | undefined;
  /** Why nothing is indexed by a SearchParameter resource, where that lies in what else is stored. */
  unindexed?: Unindexed | undefined;
}

/** What a plan was made on has changed meanwhile: plan and write again. */
export class StalePlan extends Error {}

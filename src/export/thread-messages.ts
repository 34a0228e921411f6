import type { DatabaseConnection } from "../postgres/connection.ts";
import type { SelectionRules } from "../search/type-filter.ts";
import type { ExportDefinition, ExportedFile, ExportFailure } from "./definition.ts";
import type { Destination } from "./destination.ts";
import type { ExportUnit } from "./units.ts";

/** What a thread is started with. */
export interface ThreadStart {
  readonly connection: DatabaseConnection;
  /** Name of the snapshot. */
  readonly snapshot: string;
  readonly definition: ExportDefinition;
  readonly rules: SelectionRules;
  readonly destination: Destination;
  readonly container: string;
  readonly folder: string;
  /** The numbers of the files given so far, by type id: shared by the threads. The place of 0 is that of deletions. */
  readonly numbers: Int32Array;
}

/** To a thread: a unit to do, or that there are no more and the files are to be ended. */
export type ThreadOrder = { readonly kind: "unit"; readonly unit: ExportUnit } | { readonly kind: "finish" };

/** From a thread. */
export type ThreadMessage =
  /** It waits for an order. */
  | { readonly kind: "ready" }
  /** Resources written since the last message. */
  | { readonly kind: "progress"; readonly resources: number }
  | { readonly kind: "files"; readonly files: readonly ExportedFile[] }
  | { readonly kind: "failed"; readonly failure: ExportFailure; readonly reason: string; readonly isFinal: boolean };

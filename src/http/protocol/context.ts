import type { Logger } from "../../base/logger.ts";
import type { Exports } from "../../export/exports.ts";
import type { ImportServices } from "../../import/services.ts";
import type { Reindexer } from "../../reindex/reindexer.ts";
import type { DiskRoom } from "../../postgres/disk-room.ts";
import type { JobLimits } from "../../jobs/job-limits.ts";
import type { Database } from "../../postgres/pool.ts";

/** What the HTTP application works with; made by the composition root. */
export interface HttpContext {
  /** Version of Stoker, as the CapabilityStatement says it. */
  readonly version: string;
  /**
   * Public FHIR base without a trailing slash. Read on every request and never kept, because with port 0 it is known only
   * after `listen`: the composition root may make it a getter.
   */
  readonly baseUrl: string;
  readonly importEnabled: boolean;
  /** The 423 lock, and permission for `InitialLoad`. */
  readonly initialImportMode: boolean;
  /** Greatest number of inputs of one import. */
  readonly importMaxInputs: number;
  /** Limits of imports and reindexes; none when not given. */
  readonly jobLimits?: { readonly imports: JobLimits; readonly reindexes: JobLimits };
  /** What `eq` means for dates (decision D-20). */
  readonly dateEquality: "contain" | "overlap";
  /** As many resources one conditional delete may remove; 1 when not given: several matches are refused. */
  readonly conditionalDeletes?: number;
  /** Origins of pages that may use the API from a browser; `*` is any. None when not given. */
  readonly corsOrigins?: readonly string[];
  /** Bytes that all requests in progress may hold; a part of the heap when not given. */
  readonly requestMemory?: number;
  readonly database: Database;
  /** Room that must be left on the disk of an embedded PostgreSQL. */
  readonly room?: DiskRoom | undefined;
  readonly sources: ImportServices["sources"];
  readonly signal: ImportServices["signal"];
  /** Is told of requests for `$reindex`. Undefined: another process carries them out. */
  readonly reindexer?: Pick<Reindexer, "wake">;
  /** Undefined: a server without `$export`. */
  readonly exports?: Exports;
  readonly logger: Logger;
  /** Seconds that this process's imports spent per stage so far, for the metrics. */
  readonly stageSeconds: () => Readonly<Record<string, number>>;
}

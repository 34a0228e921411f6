import type { Pool } from "pg";
import type { Logger } from "../base/logger.ts";
import type { Sources } from "../source/sources.ts";
import type { ImportSignal } from "../jobs/signal.ts";

/** What the parts of an import share. */
export interface ImportServices {
  readonly database: Pool;
  readonly sources: Sources;
  readonly signal: ImportSignal;
  readonly logger: Logger;
}

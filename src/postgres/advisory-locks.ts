/**
 * Every advisory lock of Stoker, in one list: PostgreSQL has one space of numbers for all of a database, so two locks with
 * one number would wait for each other. `advisory-locks.test.ts` checks that the numbers differ, and that neither the code nor
 * the migrations use one that is not listed here.
 *
 * All but {@link MIGRATION_LOCK} are classes: the first of the two keys that PostgreSQL's functions take. The second key is
 * described at each class; it is 0 where a class has one lock only.
 */
export const AdvisoryLock = {
  /** Second key: a segment. Writers share it until their commit; the state of the segment is changed by its only holder. */
  segmentWrite: 0x57017,
  /** Second key: a segment. Its holder seals and indexes the segment; no other process does. */
  segmentSeal: 0x57018,
  /** One holder at a time opens a segment. */
  segmentOpen: 0x57019,
  /** Second key: the hash of a name in `WriteRequest.locks`, such as the criteria of a conditional create. */
  name: 0x5701a,
  /**
   * The search parameters. Every transaction that writes search values shares it until its commit; a transaction that changes
   * a definition holds it alone. Taken by `hold_search_parameters` and `change_search_parameters` in SQL, as 356379.
   */
  searchParameters: 0x5701b,
  /** The session that merges segments: one at a time, for the whole merge. */
  segmentMerge: 0x5701c,
  /** One request at a time decides whether there is a reindex job already. */
  reindexRequest: 0x5701d,
  /** One request at a time decides whether another import, or export, may be registered: second key 1, or 2. */
  jobRequest: 0x5701e,
} as const;

/** The single 64-bit key under which servers that start at the same time migrate one after the other. */
export const MIGRATION_LOCK = 7_365_126_839_141_027n;

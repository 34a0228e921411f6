/**
 * The text that begins a transaction which reads one state of the database, read only; `timeout` in milliseconds ends
 * its statements. To be sent by itself, without parameters.
 *
 * The lock comes before the snapshot: partitions are exchanged by merges of segments (merge-segments.ts), and a snapshot taken
 * before such an exchange would not fit the partitions found after it. A merge waits for the lock, a little while.
 */
export function beginSnapshot(timeout: number): string {
  return `begin isolation level repeatable read read only; set local statement_timeout = ${Math.trunc(timeout)};
    lock table only search_resource in access share mode`;
}

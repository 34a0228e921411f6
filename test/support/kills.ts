/** How often each of server, worker, PostgreSQL and storage is killed during an import; STOKER_TEST_KILLS for longer runs. */
export const KILLS: number = Number(process.env["STOKER_TEST_KILLS"] ?? 30);

/** Small files that are enough for so many kills, at up to `perKill` units between two. A multiple of 3. */
export function smallFilesFor(kills: number, perKill: number): number {
  return 3 * Math.ceil((kills * perKill + 12) / 3);
}

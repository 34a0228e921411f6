/** Places of {@link WorkerStart.at}: the unit (0: none), its fence, and the line's offset in its file and number in its unit. */
export const WorkPlace = { unit: 0, fence: 1, byteOffset: 2, line: 3, places: 4 } as const;

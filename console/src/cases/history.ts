/** A case's history as a page tells it. Pure. */
import type { Entry, Text } from "../api/types";

export interface Line {
  entry: Entry;
  /** Who has the case from this line on, where that is somebody else than before. */
  now: Text | null;
}

/** Newest first. */
export function told(entries: readonly Entry[]): Line[] {
  const oldest = [...entries].sort((a, b) => a.seq - b.seq);
  return oldest
    .map((entry, index) => {
      const before = oldest[index - 1]?.holder_name ?? {};
      const same = JSON.stringify(before) === JSON.stringify(entry.holder_name);
      return { entry, now: same || !Object.keys(entry.holder_name).length ? null : entry.holder_name };
    })
    .reverse();
}

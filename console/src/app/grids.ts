/** The tree of grids. Pure. */
import type { Grid } from "../api/types";

/** The grids below each grid; those of level 1 under the empty id. */
export function childrenOf(grids: readonly Grid[]): Map<string, Grid[]> {
  const found = new Map<string, Grid[]>();
  for (const grid of grids) {
    const siblings = found.get(grid.parent ?? "");
    if (siblings) siblings.push(grid);
    else found.set(grid.parent ?? "", [grid]);
  }
  return found;
}

/** Tiles of the overview's map: which state they show and in which order they lie. */
import type { Grid, GridKind, Tile } from "../api/types";

export const KINDS = ["residential", "street", "commercial"] as const satisfies readonly GridKind[];

export type TileState = NonNullable<Tile["worst"]> | "silent" | "calm";

export const NOTHING: Omit<Tile, "grid"> = {
  worst: null,
  alarms: 0,
  unacknowledged: 0,
  cases: 0,
  overdue: 0,
  devices: 0,
  silent: 0,
};

/** What a tile shows: the worst alarm; without one, whether somebody is not being watched. */
export function stateOf(tile: Omit<Tile, "grid">): TileState {
  if (tile.worst) return tile.worst;
  return tile.silent ? "silent" : "calm";
}

/** The last part of a grid's id, short enough for a small tile: `R1-03` → `03`. */
export function shortName(id: string): string {
  return id.split("-").pop() ?? id;
}

/** Grids keep their places whatever their state, so that people learn where theirs is. */
export function inPlace(grids: readonly Grid[]): Grid[] {
  return [...grids].sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
}

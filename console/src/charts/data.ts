/** From the API's series to the columns that uPlot draws. Pure. Times in epoch ms, oldest first. */
import type { Kind, Scalar, Series } from "../api/types";

export type Column = (number | null)[];

export interface Lines {
  /** raw: one line; band: mean with the minimum and maximum around it. */
  shape: "raw" | "band";
  /** Drawn as steps: a switch keeps its position until it says otherwise. */
  steps: boolean;
  /** [times, values] or [times, mean, minimum, maximum]. */
  columns: [number[], ...Column[]];
}

/** A word on the time axis: what a camera or a lock said. */
export interface Occurrence {
  at: number;
  what: string;
}

function asNumber(value: Scalar): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Whether the point draws as a curve; states and events are words and make a list, a moment is neither. */
export function draws(kind: Kind, deviceClass = ""): boolean {
  return (kind === "number" && deviceClass !== "timestamp") || kind === "binary";
}

export function linesOf(series: Series): Lines {
  const steps = series.kind === "binary";
  if (series.buckets) {
    const rows = series.buckets;
    const columns: Lines["columns"] = [
      rows.map((row) => row[0]),
      rows.map((row) => row[3]),
      rows.map((row) => row[1]),
      rows.map((row) => row[2]),
    ];
    return { shape: "band", steps, columns };
  }
  const rows = series.raw ?? [];
  const times = rows.map((row) => row[0]);
  const values = rows.map((row) => asNumber(row[1]));
  if (steps && times.length) extend(times, values, series.end);
  return { shape: "raw", steps, columns: [times, values] };
}

/** A switch's last position holds until the end of the window. */
function extend(times: number[], values: Column, end: number): void {
  const last = times.at(-1) ?? end;
  if (last < end) {
    times.push(end);
    values.push(values.at(-1) ?? null);
  }
}

/** What was said, when the point speaks in words. */
export function occurrencesOf(series: Series): Occurrence[] {
  return (series.raw ?? [])
    .filter((row): row is [number, string] => typeof row[1] === "string")
    .map(([at, what]) => ({ at, what }));
}

/** `lines` with one more reading of the live feed; older than the last one changes nothing. */
export function appended(lines: Lines, at: number, value: Scalar): Lines {
  const [times, values] = lines.columns;
  if (lines.shape !== "raw" || !values || at <= (times.at(-1) ?? -Infinity)) return lines;
  return {
    ...lines,
    columns: [
      [...times, at],
      [...values, asNumber(value)],
    ],
  };
}

export interface Summary {
  min: number;
  max: number;
  last: number;
}

/** The extremes and the last value; null when nothing was measured. */
export function summary(lines: Lines): Summary | null {
  const [, middle = [], low = middle, high = middle] = lines.columns;
  const known = (column: Column) => column.filter((value) => value !== null);
  const last = known(middle).at(-1);
  if (last === undefined) return null;
  return {
    min: known(low).reduce((a, b) => Math.min(a, b)),
    max: known(high).reduce((a, b) => Math.max(a, b)),
    last,
  };
}

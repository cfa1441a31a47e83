/**
 * From InfluxDB's answers to curves, figures, bars and states, as Grafana makes them of them. Pure.
 *
 * A curve that has no value at all is left out; Grafana names it all the same.
 */
import type { Answers, Panel, Scalar, Series } from "./board";
import { asNumber, colorAt, figure, type Figure, type Manner } from "./figures";

export interface Curve {
  name: string;
  /** Epoch ms, oldest first. */
  times: readonly number[];
  values: readonly Scalar[];
}

/** Every column of every series, in the order of the queries. */
export function curvesOf(panel: Panel, answers: Answers): Curve[] {
  return panel.targets.flatMap(({ refId, alias }) =>
    (answers[refId] ?? []).flatMap((series) =>
      series.columns
        .slice(1)
        .map((column, place) => ({
          name: alias ? called(alias, series, column) : `${series.name}.${column}`,
          times: series.values.map((row) => Number(row[0])),
          values: series.values.map((row) => row[place + 1] ?? null),
        }))
        .filter((curve) => curve.values.some((value) => value !== null)),
    ),
  );
}

function called(alias: string, series: Series, column: string): string {
  return alias.replace(/\$(\w+)/g, (_, name: string) => {
    if (name === "col") return column;
    if (name === "m" || name === "measurement") return series.name;
    return series.tags?.[name.replace(/^tag_/, "")] ?? "";
  });
}

/** The last value that is one. */
export function lastOf(curve: Curve | undefined): Scalar {
  return curve?.values.findLast((value) => value !== null) ?? null;
}

/** Times and one column per curve. undefined: it says nothing at this time; null: its line has a gap here. */
export type Aligned = [number[], ...(number | null | undefined)[][]];

/**
 * The curves on one time axis. A line goes on over nulls for as long as `span` ms (true: always, false: never)
 * and over what was not measured at all.
 */
export function aligned(curves: readonly Curve[], span: boolean | number = false): Aligned {
  const times = [...new Set(curves.flatMap((curve) => curve.times))].sort((a, b) => a - b);
  const place = new Map(times.map((at, index) => [at, index]));
  const columns = curves.map((curve) => {
    const column = new Array<number | null | undefined>(times.length).fill(undefined);
    let last: number | null = null;
    let nulls: number[] = [];
    curve.times.forEach((at, index) => {
      const value = asNumber(curve.values[index] ?? null);
      if (value === null) {
        nulls.push(place.get(at) ?? 0);
        return;
      }
      const bridged = span === true || (typeof span === "number" && last !== null && at - last <= span);
      if (!bridged) for (const one of nulls) column[one] = null;
      column[place.get(at) ?? 0] = value;
      [last, nulls] = [at, []];
    });
    return column;
  });
  return [times, ...columns];
}

/** Each column on top of those before it; what says nothing counts nothing. */
export function stacked([times, ...columns]: Aligned): Aligned {
  const sums = times.map(() => 0);
  return [
    times,
    ...columns.map((column) => column.map((value, at) => (sums[at] = (sums[at] ?? 0) + (value ?? 0)))),
  ];
}

/** The number of a stat, or what its panel says without one; null when it says nothing. */
export function figureOf(panel: Panel, answers: Answers, manner: Manner): Figure | null {
  const { defaults } = panel.fieldConfig;
  const value = asNumber(lastOf(curvesOf(panel, answers)[0]));
  const steps = defaults.thresholds?.steps ?? [];
  if (value !== null) {
    return meaning(panel, value) ?? { text: figure(value, defaults, manner), color: colorAt(value, steps) };
  }
  return defaults.noValue ? { text: defaults.noValue, color: colorAt(-Infinity, steps) } : null;
}

export interface Bar extends Figure {
  name: string;
  /** Of the whole width, 0 to 1. */
  share: number;
}

/** One bar per series; the longest fills the width when the panel names no largest value. */
export function barsOf(panel: Panel, answers: Answers, manner: Manner): Bar[] {
  const { defaults } = panel.fieldConfig;
  const found = curvesOf(panel, answers).flatMap((curve) => {
    const value = asNumber(lastOf(curve));
    return value === null ? [] : [{ name: curve.name, value }];
  });
  const most = defaults.max ?? Math.max(...found.map((one) => one.value));
  return found.map(({ name, value }) => ({
    name,
    text: figure(value, defaults, manner),
    color: colorAt(value, defaults.thresholds?.steps ?? []),
    share: most > 0 ? Math.min(1, Math.max(0, value / most)) : 0,
  }));
}

/** A stretch of time in which a series kept its value. */
export interface Run extends Figure {
  from: number;
  to: number;
}

export interface Row {
  name: string;
  runs: Run[];
}

/** One row per series; equal values one after the other are one run, which ends where the next begins. */
export function statesOf(panel: Panel, answers: Answers, end: number): Row[] {
  return curvesOf(panel, answers).map(({ name, times, values }) => {
    const begins = times.map((at, place) => ({ at, value: values[place] ?? null }));
    const changes = begins.filter(({ value }, place) => place === 0 || value !== begins[place - 1]?.value);
    const runs = changes.flatMap(({ at, value }, place) =>
      value === null
        ? []
        : [
            {
              from: at,
              to: changes[place + 1]?.at ?? end,
              ...(meaning(panel, value) ?? { text: String(value), color: "transparent" }),
            },
          ],
    );
    return { name, runs };
  });
}

/** One row per series, one cell per value, each as long as it is to the next one. */
export function cellsOf(panel: Panel, answers: Answers, manner: Manner, end: number): Row[] {
  const { defaults } = panel.fieldConfig;
  return curvesOf(panel, answers).map(({ name, times, values }) => ({
    name,
    runs: times.flatMap((from, place) => {
      const value = asNumber(values[place] ?? null);
      if (value === null) return [];
      const color = colorAt(value, defaults.thresholds?.steps ?? []);
      return [{ from, to: times[place + 1] ?? end, text: figure(value, defaults, manner), color }];
    }),
  }));
}

/** What the panel says that a value means. */
function meaning(panel: Panel, value: Scalar): Figure | null {
  for (const mapping of panel.fieldConfig.defaults.mappings ?? []) {
    const found = mapping.options[String(value)];
    if (found) return { text: found.text ?? String(value), color: found.color ?? "transparent" };
  }
  return null;
}

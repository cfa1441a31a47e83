/**
 * From InfluxDB's answers and a panel's JSON to what stands in the panel, as Grafana makes it of them. Pure.
 *
 * Two things are left out that Grafana shows: columns of a table and curves that have no value at all.
 */
import { bytes, duration, moment, number } from "../../src/words/format";
import type { Answers, Panel, Scalar, Series, Step } from "./board";

/** The language, the zone and the present in which figures and moments are written. */
export interface Manner {
  language: string;
  timezone: string;
  /** Epoch ms. */
  now: number;
}

export interface Curve {
  name: string;
  /** Epoch ms, oldest first. */
  times: readonly number[];
  values: readonly Scalar[];
}

const MINUTE = 60;

// ------------------------------------------------------------------------------------------ time series

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

function asNumber(value: Scalar): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" ? value : null;
}

// ------------------------------------------------------------------------------------------ figures, bars

export interface Figure {
  text: string;
  /** A colour's name in Grafana. */
  color: string;
}

/** The number of a stat, or what its panel says without one; null when it says nothing. */
export function figureOf(panel: Panel, answers: Answers, manner: Manner): Figure | null {
  const { defaults } = panel.fieldConfig;
  const value = asNumber(lastOf(curvesOf(panel, answers)[0]));
  const steps = defaults.thresholds?.steps ?? [];
  if (value !== null) return { text: figure(value, defaults, manner), color: colorAt(value, steps) };
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

/** The colour of the highest step that `value` reaches. */
export function colorAt(value: number, steps: readonly Step[]): string {
  return steps.findLast((step) => step.value === null || value >= step.value)?.color ?? "transparent";
}

/** A value with its unit; `unit` is one of Grafana's. */
export function figure(
  value: number,
  { unit, decimals }: { unit?: string | undefined; decimals?: number | undefined },
  { language }: Manner,
): string {
  const plain = (one: number, most = decimals) => number(one, language, most);
  switch (unit) {
    case "percentunit":
      return `${plain(value * 100, decimals ?? 1)}%`;
    case "percent":
      return `${plain(value)}%`;
    case "celsius":
      return `${plain(value)} °C`;
    case "ppm":
      return `${plain(value)} ppm`;
    case "s":
      return value < MINUTE ? `${plain(value)} s` : duration(value * 1000, language);
    case "bytes":
      return value < 1000 ? `${plain(value)} B` : bytes(value, language);
    default:
      return plain(value);
  }
}

// ------------------------------------------------------------------------------------------ states over time

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
      value === null ? [] : [{ from: at, to: changes[place + 1]?.at ?? end, ...meaning(panel, value) }],
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

function meaning(panel: Panel, value: Scalar): Figure {
  for (const mapping of panel.fieldConfig.defaults.mappings ?? []) {
    const found = mapping.options[String(value)];
    if (found) return { text: found.text ?? String(value), color: found.color ?? "transparent" };
  }
  return { text: String(value), color: "transparent" };
}

// ------------------------------------------------------------------------------------------ tables

export interface Field {
  name: string;
  values: Scalar[];
  /** Its values are moments, in epoch ms. */
  time?: boolean;
}

export interface Cell {
  text: string;
  /** A colour's name in Grafana, when the cell is filled with it. */
  color: string;
  link: boolean;
}

export interface Drawn {
  columns: { label: string; number: boolean }[];
  rows: Cell[][];
}

const TIME = "Time";

/** The table of an answer: time, tags, columns, the rows of all its series below each other. */
export function tableOf(answer: readonly Series[]): Field[] {
  const [first] = answer;
  if (!first) return [];
  const rows = answer.flatMap((one) => one.values.map((row) => ({ one, row })));
  const tags = Object.keys(first.tags ?? {});
  return [
    { name: TIME, time: true, values: rows.map(({ row }) => row[0] ?? null) },
    ...tags.map((name) => ({ name, values: rows.map(({ one }) => one.tags?.[name] ?? null) })),
    ...first.columns.slice(1).map((name, place) => ({
      name,
      values: rows.map(({ row }) => row[place + 1] ?? null),
    })),
  ];
}

/** The panel's table after its transformations. */
export function fieldsOf(panel: Panel, answers: Answers): Field[] {
  let tables = panel.targets.map(({ refId }) => tableOf(answers[refId] ?? [])).filter((one) => one.length);
  for (const { id, options } of panel.transformations ?? []) {
    if (id === "merge") tables = [merged(tables)];
    if (id === "groupBy") tables = tables.map((table) => grouped(table, options.fields ?? {}));
    if (id === "organize") {
      const { indexByName: order = {}, renameByName: names = {} } = options;
      tables = tables.map((table) =>
        [...table]
          .sort((a, b) => (order[a.name] ?? Infinity) - (order[b.name] ?? Infinity) || 0)
          .map((field) => ({ ...field, name: names[field.name] ?? field.name })),
      );
    }
  }
  return tables[0] ?? [];
}

/** Several tables as one: rows that agree in all fields that the tables have in common are one row. */
function merged(tables: readonly Field[][]): Field[] {
  const names = [...new Set(tables.flatMap((table) => table.map((field) => field.name)))];
  const common = names.filter((name) => tables.every((table) => table.some((field) => field.name === name)));
  const rows = new Map<string, Map<string, Scalar>>();
  for (const table of tables) {
    table[0]?.values.forEach((_, at) => {
      const own = new Map(table.map((field) => [field.name, field.values[at] ?? null]));
      const key = JSON.stringify(common.map((name) => own.get(name)));
      rows.set(key, new Map([...(rows.get(key) ?? []), ...own]));
    });
  }
  return names.map((name) => ({
    name,
    time: name === TIME,
    values: [...rows.values()].map((row) => row.get(name) ?? null),
  }));
}

/** How many rows have each value of the fields that are grouped by. */
function grouped(
  table: readonly Field[],
  fields: Readonly<Record<string, { operation: string; aggregations: readonly string[] }>>,
): Field[] {
  const by = table.filter((field) => fields[field.name]?.operation === "groupby");
  const counted = table.filter((field) => fields[field.name]?.aggregations.includes("count"));
  const groups = new Map<string, number[]>();
  table[0]?.values.forEach((_, at) => {
    const key = JSON.stringify(by.map((field) => field.values[at]));
    groups.set(key, [...(groups.get(key) ?? []), at]);
  });
  const members = [...groups.values()];
  return [
    ...by.map((field) => ({ ...field, values: members.map((rows) => field.values[rows[0] ?? 0] ?? null) })),
    ...counted.map(({ name }) => ({ name: `${name} (count)`, values: members.map((rows) => rows.length) })),
  ];
}

/** What the panel's overrides say of a field, by property. */
export function propertiesOf(panel: Panel, name: string): Map<string, unknown> {
  const own = panel.fieldConfig.overrides.filter(({ matcher }) => matcher.options === name);
  return new Map(own.flatMap(({ properties }) => properties.map(({ id, value }) => [id, value])));
}

/** The table as it is shown: sorted, without what is hidden or empty, values in words. */
export function rowsOf(panel: Panel, answers: Answers, manner: Manner): Drawn {
  const fields = fieldsOf(panel, answers);
  const order = sorted(panel, fields);
  const shown = fields
    .map((field) => ({ ...field, said: propertiesOf(panel, field.name) }))
    .filter(({ values, said }) => said.get("custom.hidden") !== true && values.some((one) => one !== null));
  return {
    columns: shown.map(({ name, time, values, said }) => ({
      label: name,
      number: !time && !said.has("mappings") && values.some((one) => typeof one === "number"),
    })),
    rows: order.map((at) =>
      shown.map(({ values, said, time = false }) => cell(values[at] ?? null, said, time, manner)),
    ),
  };
}

/** The places of rows in the order in which the panel shows them. */
function sorted(panel: Panel, fields: readonly Field[]): number[] {
  const places = (fields[0]?.values ?? []).map((_, at) => at);
  const [by] = panel.options?.sortBy ?? [];
  const values = fields.find((field) => field.name === by?.displayName)?.values;
  if (!by || !values) return places;
  const rank = (at: number) => Number(values[at] ?? -Infinity);
  return places.sort((a, b) => (by.desc ? rank(b) - rank(a) : rank(a) - rank(b)) || 0);
}

function cell(value: Scalar, said: Map<string, unknown>, time: boolean, manner: Manner): Cell {
  const link = said.has("links");
  for (const { options } of (said.get("mappings") ?? []) as { options: Record<string, Partial<Figure>> }[]) {
    const found = options[String(value)];
    if (found) return { text: found.text ?? String(value), color: found.color ?? "transparent", link };
  }
  const unit = said.get("unit") as string | undefined;
  const text =
    value === null
      ? ""
      : typeof value !== "number"
        ? String(value)
        : time
          ? moment(value, manner.now, manner.language, manner.timezone, true)
          : figure(value, { unit }, manner);
  return { text, color: "transparent", link };
}

/**
 * From InfluxDB's answers to the rows of a table, after the panel's transformations. Pure.
 *
 * A column that has no value at all is left out; Grafana shows it empty.
 */
import { moment } from "../../src/words/format";
import type { Answers, Panel, Scalar, Series } from "./board";
import { figure, type Figure, type Manner } from "./figures";

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

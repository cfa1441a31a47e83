/** Latest values and the live readings that replace them. Pure. */
import type { LiveReading, Value } from "../api/types";

/** `values` with newer readings in their places; a reading older than what is shown changes nothing. */
export function updated(values: readonly Value[], rows: readonly LiveReading[]): Value[] {
  const newest = new Map<string, LiveReading>();
  for (const row of rows) {
    const known = newest.get(row.point);
    if (!known || row.time >= known.time) newest.set(row.point, row);
  }
  return values.map((value) => {
    const row = newest.get(value.point);
    if (!row || row.time <= Date.parse(value.time)) return value;
    return { ...value, value: row.value, time: new Date(row.time).toISOString() };
  });
}

/** A value as it is kept, without the last digits of a binary fraction that nobody measured. */
export function asKept(value: Value["value"]): string {
  return JSON.stringify(typeof value === "number" ? Number(value.toPrecision(15)) : value);
}

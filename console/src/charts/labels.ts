/** Where the words of a chart stand. Pure; lengths in CSS pixels. */
import { moment, timeOfDay } from "../words/format";

/**
 * Times of day along an axis whose labels are `step` ms apart: with seconds where several fall into a minute,
 * and the date instead where a day begins.
 */
export function timeLabels(
  at: readonly number[],
  step: number,
  language: string,
  timezone: string,
): string[] {
  const seconds = step < 60_000;
  return at.map((one) => {
    if (timeOfDay(one, language, timezone, true) === "00:00:00") return dayLabel(one, language, timezone);
    return timeOfDay(one, language, timezone, seconds);
  });
}

/** Month and day. */
export function dayLabel(at: number, language: string, timezone: string): string {
  return moment(at, 0, language, timezone)
    .replace(/ [\d:]+$/, "")
    .replace(/^\d{4}年|, \d{4}$/, "");
}

export interface Label {
  left: number;
  width: number;
}

/** Each label in the first row where it covers no other; null for one that finds none of `most` rows free. */
export function inRows<T extends Label>(labels: readonly T[], most: number): (T & { row: number | null })[] {
  const taken: Label[][] = [];
  return labels.map((label) => {
    const clear = (row: Label[]) =>
      row.every((one) => label.left >= one.left + one.width || one.left >= label.left + label.width);
    let row = taken.findIndex(clear);
    if (row < 0 && taken.length < most) row = taken.push([]) - 1;
    taken[row]?.push(label);
    return { ...label, row: row < 0 ? null : row };
  });
}

/**
 * How far from the right edge the labels of horizontal lines end, from heights on the screen: one whose
 * neighbour is nearer than `line` stands left of it.
 */
export function besides(
  labels: readonly { y: number; width: number }[],
  line: number,
  gap: number,
): number[] {
  const placed: { y: number; from: number; to: number }[] = [];
  for (const { y, width } of labels) {
    let from = 0;
    for (const other of [...placed].sort((a, b) => a.from - b.from)) {
      if (Math.abs(other.y - y) < line && from < other.to && other.from < from + width) from = other.to + gap;
    }
    placed.push({ y, from, to: from + width });
  }
  return placed.map((one) => one.from);
}

/** Figures as a panel writes and colours them. Pure. */
import { bytes, duration, number } from "../../src/words/format";
import type { Scalar, Step } from "./board";

/** The language, the zone and the present in which figures and moments are written. */
export interface Manner {
  language: string;
  timezone: string;
  /** Epoch ms. */
  now: number;
}

export interface Figure {
  text: string;
  /** A colour's name in Grafana. */
  color: string;
}

const MINUTE = 60;

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

/** A switch counts as 1 or 0; words are no numbers. */
export function asNumber(value: Scalar): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" ? value : null;
}

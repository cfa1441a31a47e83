/** Which points to draw for an event, and over which time. Pure. */
import type { Series } from "../api/types";

const MINUTE = 60_000;
const BEFORE_MS = 15 * MINUTE;
const AFTER_MS = 15 * MINUTE;
const LONGEST_MS = 24 * 60 * MINUTE;
/** More charts than this help nobody; the list of evidence names the rest. */
const MOST_SOURCES = 6;

export interface Window {
  start: number;
  end: number;
}

/** From a while before the event to a while after it ended, at most a day and never into the future. */
export function windowOf(from: number, until: number | null, now: number): Window {
  const end = Math.min(now, (until ?? now) + AFTER_MS, from + LONGEST_MS);
  return { start: from - BEFORE_MS, end: Math.max(end, from + MINUTE) };
}

export interface Source {
  device: string;
  point: string;
}

/** A camera's score, zone and times are details of its event, not curves of their own. */
const DETAILS = new Set(["score", "zone", "start", "end"]);

/** Each device's point once, in the order in which they spoke. */
export function sourcesOf(evidence: readonly Source[]): Source[] {
  const found = new Map<string, Source>();
  for (const { device, point } of evidence) {
    if (!DETAILS.has(point)) found.set(`${device}\n${point}`, { device, point });
  }
  return [...found.values()].slice(0, MOST_SOURCES);
}

/** `window` without the time before anything was measured, but for a minute. */
export function trimmed(window: Window, all: readonly Series[]): Window {
  const firsts = all.map((one) => (one.raw ?? one.buckets)?.[0]?.[0]).filter((at) => at !== undefined);
  const first = firsts.length ? Math.min(...firsts) - MINUTE : window.start;
  return { ...window, start: Math.max(window.start, Math.min(first, window.end - MINUTE)) };
}

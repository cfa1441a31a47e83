/** What a case shows as evidence: marks on its charts and what cameras saw. Pure. */
import type { Alarm, Evidence } from "../api/types";
import type { Mark } from "../charts/options";

/** A mark where each alarm was raised; alarms of one moment and rule share one. */
export function marksOf(alarms: readonly Alarm[], label: (alarm: Alarm) => string): Mark[] {
  const found = new Map<string, Mark>();
  for (const alarm of alarms) {
    const at = Date.parse(alarm.raised_at);
    const key = `${alarm.rule} ${Math.floor(at / 10_000)}`;
    if (!found.has(key)) found.set(key, { at, label: label(alarm), tone: alarm.severity });
  }
  return [...found.values()].sort((a, b) => a.at - b.at);
}

export interface Seen {
  event: string;
  device: string;
  device_name: Record<string, string>;
  label: string;
  /** 0 to 1; null when the camera did not say. */
  score: number | null;
  zone: string;
  time: string;
}

/** Camera events, one per event id, with the best score; newest first. */
export function cameraEvents(evidence: readonly Evidence[]): Seen[] {
  const found = new Map<string, Seen>();
  for (const one of evidence) {
    if (!one.event) continue;
    const seen = found.get(one.event) ?? {
      event: one.event,
      device: one.device,
      device_name: one.device_name,
      label: "",
      score: null,
      zone: "",
      time: one.time,
    };
    if (one.point === "event" && typeof one.value === "string") seen.label = one.value;
    if (one.point === "score" && typeof one.value === "number")
      seen.score = Math.max(seen.score ?? 0, one.value);
    if (one.point === "zone" && typeof one.value === "string") seen.zone = one.value;
    found.set(one.event, seen);
  }
  return [...found.values()].sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
}

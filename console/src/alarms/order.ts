/** The order of alarms on every screen, and merging one that changed into a list. */
import type { Alarm, Severity } from "../api/types";

export const SEVERITIES = ["critical", "high", "medium", "low"] as const satisfies readonly Severity[];

export function rank(severity: Severity | null): number {
  return severity === null ? SEVERITIES.length : SEVERITIES.indexOf(severity);
}

/** Whether nobody has answered it yet. */
export function acknowledgeable(alarm: Alarm): boolean {
  return alarm.open && !alarm.acknowledged;
}

/** `alarms` by severity, the worst first; severities without any are left out. */
export function bySeverity(alarms: readonly Alarm[]): [Severity, Alarm[]][] {
  return SEVERITIES.map((severity): [Severity, Alarm[]] => [
    severity,
    alarms.filter((one) => one.severity === severity),
  ]).filter(([, those]) => those.length > 0);
}

/** Worst first; of the same severity the unanswered first; then the newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  return (
    rank(a.severity) - rank(b.severity) ||
    Number(a.acknowledged) - Number(b.acknowledged) ||
    Date.parse(b.raised_at) - Date.parse(a.raised_at) ||
    a.id.localeCompare(b.id)
  );
}

/**
 * `list` with `alarm` in its place; out of it when `belongs` says no. An older version of an alarm never
 * replaces a newer one (a slow answer may arrive after the live event that it does not know of).
 */
export function mergeAlarm(
  list: readonly Alarm[],
  alarm: Alarm,
  belongs: (alarm: Alarm) => boolean,
): Alarm[] {
  const known = list.find((one) => one.id === alarm.id);
  if (known && Date.parse(known.changed_at) > Date.parse(alarm.changed_at)) return [...list];
  const others = list.filter((one) => one.id !== alarm.id);
  return (belongs(alarm) ? [...others, alarm] : others).sort(byUrgency);
}

export interface AlarmFilter {
  state: "open" | "closed" | "all";
  severities: readonly Severity[];
  grid: string;
  unacknowledged: boolean;
}

/** Whether the list with this filter would show the alarm; the same question the gateway answers. */
export function matches(filter: AlarmFilter, alarm: Alarm): boolean {
  if (filter.state !== "all" && alarm.open !== (filter.state === "open")) return false;
  if (filter.severities.length && !filter.severities.includes(alarm.severity)) return false;
  if (filter.grid && !alarm.grids.includes(filter.grid) && alarm.grid !== filter.grid) return false;
  return !(filter.unacknowledged && alarm.acknowledged);
}

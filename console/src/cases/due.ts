/** How a case stands to its limit. Pure. */
import type { Case } from "../api/types";

/** Less than a fifth of the way left counts as near. */
const NEAR = 0.2;

export interface Standing {
  tone: "over" | "near" | "fine" | "none";
  /** Milliseconds left; negative when past the limit. */
  left: number;
}

export function standing(
  one: Pick<Case, "due_at" | "opened_at" | "open" | "overdue">,
  now: number,
): Standing {
  if (!one.due_at || !one.open) return { tone: "none", left: 0 };
  const due = Date.parse(one.due_at);
  const left = due - now;
  if (one.overdue || left < 0) return { tone: "over", left };
  const whole = due - Date.parse(one.opened_at);
  return { tone: whole > 0 && left < whole * NEAR ? "near" : "fine", left };
}

/** Most urgent first: overdue, then by priority (P1 before P2), then by limit, then the newest. */
export function byUrgency(a: Case, b: Case): number {
  const due = (one: Case) => (one.due_at ? Date.parse(one.due_at) : Infinity);
  const order =
    Number(b.open) - Number(a.open) ||
    Number(b.overdue) - Number(a.overdue) ||
    a.priority.localeCompare(b.priority);
  if (order) return order;
  return due(a) === due(b) ? Date.parse(b.opened_at) - Date.parse(a.opened_at) : due(a) - due(b);
}

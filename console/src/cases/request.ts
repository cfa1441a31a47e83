/** From a filled-in form to the body of a case's action. Pure. */
import type { Action, CaseAction } from "../api/types";

/** Fields that have a place of their own in the body; the others travel in `values`. */
const OWN = ["reason", "note", "evidence"] as const;

/** The fields the form shows: those needed, and always a note. */
export function fieldsOf(action: Action): string[] {
  return action.needs.includes("note") ? action.needs : [...action.needs, "note"];
}

export function requestOf(
  action: Action,
  actor: string,
  fields: Readonly<Record<string, string>>,
): CaseAction {
  const text = (name: string) => (fields[name] ?? "").trim();
  const own: readonly string[] = OWN;
  const others = action.needs.filter((name) => !own.includes(name) && text(name));
  return {
    action: action.action,
    actor,
    on_behalf_of: "",
    reason: text("reason"),
    note: text("note"),
    evidence: text("evidence")
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
    values: Object.fromEntries(others.map((name) => [name, text(name)])),
  };
}

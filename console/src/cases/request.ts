/** From a filled-in form to the body of a case's action. Pure. */
import type { Action, CaseAction, Field } from "../api/types";

/** Fields that have a place of their own in the body; the others travel in `values`. */
const OWN: readonly string[] = ["reason", "note", "evidence"];

/** Several ids in one text, as they travel. */
export function chosen(value: string): string[] {
  return value.split(",").filter(Boolean);
}

/** `value` with `id` in it, or out of it. */
export function toggled(value: string, id: string): string {
  const now = chosen(value);
  return (now.includes(id) ? now.filter((one) => one !== id) : [...now, id]).join();
}

/** What stands in the form at first: the person who acts, where they are one of those asked for. */
export function prefilled(fields: readonly Field[], actor: string): Record<string, string> {
  return Object.fromEntries(
    fields
      .filter((one) => one.kind === "people" && one.choices.some((choice) => choice.value === actor))
      .map((one) => [one.name, actor]),
  );
}

/** Labels of what must be given and is not; a browser does not check groups of boxes by itself. */
export function missing(action: Action, fields: Readonly<Record<string, string>>): string[] {
  return action.fields.filter((one) => one.required && !fields[one.name]?.trim()).map((one) => one.name);
}

export function requestOf(
  action: Action,
  actor: string,
  fields: Readonly<Record<string, string>>,
): CaseAction {
  const text = (name: string) => (fields[name] ?? "").trim();
  const others = action.fields.map((one) => one.name).filter((name) => !OWN.includes(name) && text(name));
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

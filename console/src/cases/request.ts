/** From a filled-in form to the body of a case's action. Pure. */
import type { Action, CaseAction, Field } from "../api/types";

/** Fields that have a place of their own in the body; the others travel in `values`. */
const OWN: readonly string[] = ["reason", "note", "evidence"];

/** What a form keeps a field's value under: there is one field of evidence for each proof. */
export function keyOf(field: Field): string {
  return field.kind === "proof" ? `${field.name}:${field.want}` : field.name;
}

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
      .map((one) => [keyOf(one), actor]),
  );
}

type Given = Readonly<Record<string, string>>;

const given = (fields: Given, field: Field) => (fields[keyOf(field)] ?? "").trim();

/** Labels of what must be given and is not; a browser does not check groups of boxes by itself. */
export function missing(action: Action, fields: Given): string[] {
  const absent = action.fields.filter((one) => one.required && !given(fields, one)).map((one) => one.label);
  return absent.length || shows(action, fields) ? absent : ["evidence"];
}

/** Whether some evidence is given where some, no matter which, is needed. A note counts as evidence. */
function shows(action: Action, fields: Given): boolean {
  if (!action.needs.includes("evidence")) return true;
  const proofs = action.fields.filter((one) => one.kind === "proof" || one.name === "note");
  return proofs.some((one) => given(fields, one));
}

export function requestOf(action: Action, actor: string, fields: Given): CaseAction {
  const text = (name: string) => (fields[name] ?? "").trim();
  const others = action.fields.filter((one) => !OWN.includes(one.name) && given(fields, one));
  const proofs = action.fields.filter((one) => one.kind === "proof" && given(fields, one));
  return {
    action: action.action,
    actor,
    on_behalf_of: "",
    reason: text("reason"),
    note: text("note"),
    evidence: proofs.map((one) => ({ want: one.want, kind: one.proof ?? "note", text: given(fields, one) })),
    values: Object.fromEntries(others.map((one) => [one.name, given(fields, one)])),
  };
}

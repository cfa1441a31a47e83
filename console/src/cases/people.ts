/** Who is likely to act on a case. Pure. */
import type { Case, Person } from "../api/types";

/** Ids of those who have to do with a case, whoever has it now first. */
export function peopleOf(
  of: Pick<Case, "holder" | "officer" | "place_officer">,
  everybody: Iterable<Person>,
): string[] {
  const unit = of.holder.startsWith("unit:") ? of.holder.slice("unit:".length) : null;
  const members = unit ? [...everybody].filter((one) => one.unit === unit).map((one) => one.id) : [];
  const named = [of.holder, of.officer?.id, of.place_officer?.id].filter((id) => id !== undefined);
  return [...new Set([...named, ...members])];
}

/** Finding a person among some hundreds. */
import type { Person, Role } from "../api/types";

/** Those at a desk first, then the many grid officers. */
const ROLES: readonly Role[] = [
  "safety_officer",
  "smart_centre",
  "verifier",
  "department",
  "grid_officer",
  "administrator",
  "viewer",
];

/** People whose name, id or unit contains `text`: those of `likely` in its order, then by role and name. */
export function findPeople(
  people: Iterable<Person>,
  text: string,
  language: string,
  likely: readonly string[] = [],
): Person[] {
  const wanted = text.trim().toLowerCase();
  const place = (one: Person) => (likely.includes(one.id) ? likely.indexOf(one.id) : likely.length);
  return [...people]
    .filter((one) => [one.name, one.id, one.unit].some((part) => part.toLowerCase().includes(wanted)))
    .sort(
      (a, b) =>
        place(a) - place(b) ||
        ROLES.indexOf(a.role) - ROLES.indexOf(b.role) ||
        a.name.localeCompare(b.name, language),
    );
}

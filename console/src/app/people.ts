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

/** People whose name, id or unit contains `text`, by role and then name. */
export function findPeople(people: Iterable<Person>, text: string, language: string): Person[] {
  const wanted = text.trim().toLowerCase();
  return [...people]
    .filter((one) => [one.name, one.id, one.unit].some((part) => part.toLowerCase().includes(wanted)))
    .sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.name.localeCompare(b.name, language));
}

/** Addresses of the console: pages by path, filters in the query. Pure; the router does the browsing. */

export type Page =
  | { name: "overview" }
  | { name: "alarms" }
  | { name: "alarm"; id: string }
  | { name: "cases" }
  | { name: "case"; id: string }
  | { name: "devices" }
  | { name: "device"; id: string }
  | { name: "system" }
  | { name: "quarantine" }
  | { name: "nowhere" };

export type Query = Readonly<Record<string, string>>;

/** The page that a path names. */
export function pageAt(path: string): Page {
  const [room = "", id = "", ...more] = path.split("/").filter(Boolean).map(decoded);
  if (more.length) return { name: "nowhere" };
  switch (room) {
    case "":
      return { name: "overview" };
    case "alarms":
      return id ? { name: "alarm", id } : { name: "alarms" };
    case "cases":
      return id ? { name: "case", id } : { name: "cases" };
    case "devices":
      return id ? { name: "device", id } : { name: "devices" };
    case "system":
      if (id === "quarantine") return { name: "quarantine" };
      return id ? { name: "nowhere" } : { name: "system" };
    default:
      return { name: "nowhere" };
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A stray per cent sign in a hand-typed address.
  }
}

/** The address of a page, e.g. `to(["alarms", id])` or `to(["alarms"], {grid: "R1"})`. Empty filters are left out. */
export function to(parts: readonly string[], query: Query = {}): string {
  const path = `/${parts.map(encodeURIComponent).join("/")}`;
  const chosen = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  const search = chosen.toString();
  return search ? `${path}?${search}` : path;
}

/** `query` with some filters changed; an empty value removes one. */
export function changed(query: Query, change: Query): Query {
  return Object.fromEntries(Object.entries({ ...query, ...change }).filter(([, value]) => value !== ""));
}

/** One of `allowed` from the address, or the first of them: what people type there is not to be trusted. */
export function oneOf<const T extends string>(value: string | undefined, allowed: readonly [T, ...T[]]): T {
  return allowed.find((one) => one === value) ?? allowed[0];
}

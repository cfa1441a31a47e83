/** Groups of the quarantine: what tells them apart, in a list and in an address. Pure. */
import type { Quarantined, QuarantineSelection } from "../api/types";
import type { Query } from "../app/address";

export type Kind = "retry" | "drop";
export interface Ordered {
  kind: Kind;
  group: Quarantined;
}

type Named = Pick<Quarantined, "stage" | "edge" | "source" | "point" | "reason">;

/** What an address says of a group. */
export function queryOf(group: Named): Named {
  const { stage, edge, source, point, reason } = group;
  return { stage, edge, source, point, reason };
}

export function keyOf(group: Named): string {
  return Object.values(queryOf(group)).join("\n");
}

/** Whether an address means this group. */
export function same(group: Named, query: Query): boolean {
  return Object.entries(queryOf(group)).every(([key, value]) => (query[key] ?? "") === value);
}

/** Exactly this group: a `*` in a source would stand for any text, so such a one is matched wider. */
export function selectionOf(group: Named): QuarantineSelection {
  return { ...queryOf(group), entries: [] };
}

/** Bytes as lines of sixteen: where, hexadecimal, and as text where it is printable. */
export function dump(hex: string): { at: string; hex: string; text: string }[] {
  const bytes = hex ? hex.split(" ") : [];
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.slice(at, at + 16);
    lines.push({
      at: at.toString(16).padStart(4, "0"),
      hex: part.join(" "),
      text: part.map(printable).join(""),
    });
  }
  return lines;
}

function printable(byte: string): string {
  const code = parseInt(byte, 16);
  return code >= 32 && code < 127 ? String.fromCharCode(code) : "·";
}

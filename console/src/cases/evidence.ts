/** What a case shows as evidence: marks on its charts, what cameras saw, what people have shown. Pure. */
import type { Alarm, CaseDetail, Evidence, Proof, Wanted } from "../api/types";
import type { Mark } from "../charts/options";

/** A mark where each alarm was raised, in the colour of its worst; alarms of one moment and rule share one. */
export function marksOf(alarms: readonly Alarm[], label: (alarm: Alarm) => string): Mark[] {
  const found = new Map<string, Mark>();
  for (const alarm of alarms) {
    const at = Date.parse(alarm.raised_at);
    const key = `${alarm.rule} ${Math.floor(at / 10_000)}`;
    if (!found.has(key)) found.set(key, { at, label: label(alarm), tone: alarm.worst });
  }
  return [...found.values()].sort((a, b) => a.at - b.at);
}

export interface Seen {
  event: string;
  device: string;
  device_name: Record<string, string>;
  label: string;
  /** 0 to 1; null when the camera did not say. */
  score: number | null;
  zone: string;
  time: string;
}

/** Camera events, one per event id, with the best score; newest first. */
export function cameraEvents(evidence: readonly Evidence[]): Seen[] {
  const found = new Map<string, Seen>();
  for (const one of evidence) {
    if (!one.event) continue;
    const seen = found.get(one.event) ?? {
      event: one.event,
      device: one.device,
      device_name: one.device_name,
      label: "",
      score: null,
      zone: "",
      time: one.time,
    };
    if (one.point === "event" && typeof one.value === "string") seen.label = one.value;
    if (one.point === "score" && typeof one.value === "number")
      seen.score = Math.max(seen.score ?? 0, one.value);
    if (one.point === "zone" && typeof one.value === "string") seen.zone = one.value;
    found.set(one.event, seen);
  }
  return [...found.values()].sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
}

export interface Shown {
  /** The proof that was asked for; null for whatever else was shown. */
  wanted: Wanted | null;
  proofs: Proof[];
}

/** Each proof that is wanted with what was given for it, then the rest. */
export function proofsFor(of: Pick<CaseDetail, "wanted" | "proofs">): Shown[] {
  const known = new Set(of.wanted.map((one) => one.id));
  const rows: Shown[] = of.wanted.map((wanted) => ({
    wanted,
    proofs: of.proofs.filter((one) => one.want === wanted.id),
  }));
  const rest = of.proofs.filter((one) => !known.has(one.want));
  return rest.length ? [...rows, { wanted: null, proofs: rest }] : rows;
}

/** The three questions of the overview, answered from the totals: the words' keys, the number and the tone. */
import type { Overview, Severity } from "../api/types";
import type { Key } from "../words/words.svelte";

type Totals = Overview["totals"];
export type Tone = "calm" | "silent" | Extract<Severity, "critical" | "high" | "medium">;

export interface Answer {
  question: Key;
  tone: Tone;
  /** The number that answers, or null when the answer is a word. */
  count: number | null;
  /** The word that answers when there is no number. */
  word: Key;
  /** What the number counts, or what the word means. */
  says: Key;
  href: string;
}

/** Alarms of a severity; the gateway leaves out those with none. */
export function open(totals: Totals, severity: Severity): number {
  return totals.alarms[severity] ?? 0;
}

/** Alarms of a severity whose condition has gone: somebody still has to reset or acknowledge them. */
export function over(totals: Totals, severity: Severity): number {
  return totals.over[severity] ?? 0;
}

export function burning(totals: Totals): Answer {
  const base = { question: "overview.burning.q", word: "overview.burning.none", href: "/alarms" } as const;
  const firing = (severity: Severity) => open(totals, severity) - over(totals, severity);
  const [critical, high] = [firing("critical"), firing("high")];
  if (critical) return { ...base, tone: "critical", count: critical, says: "overview.burning.criticalSub" };
  if (high) return { ...base, tone: "high", count: high, says: "overview.burning.highSub" };
  const left = over(totals, "critical") + over(totals, "high");
  if (left) return { ...base, tone: "medium", count: null, says: "overview.burning.over" };
  return { ...base, tone: "calm", count: null, says: "overview.burning.noneSub" };
}

export function onIt(totals: Totals): Answer {
  const base = { question: "overview.onit.q", href: "/cases" } as const;
  if (totals.cases_unaccepted) {
    const tone = open(totals, "critical") ? "high" : "medium";
    const says = "overview.onit.unaccepted";
    return { ...base, tone, count: totals.cases_unaccepted, word: "overview.onit.all", says };
  }
  return totals.cases_open
    ? { ...base, tone: "calm", count: null, word: "overview.onit.all", says: "overview.onit.allSub" }
    : { ...base, tone: "calm", count: null, word: "overview.onit.idle", says: "overview.onit.idleSub" };
}

export function watched(totals: Totals): Answer {
  const base = {
    question: "overview.watched.q",
    word: "overview.watched.all",
    href: "/devices?state=silent",
  } as const;
  return totals.silent
    ? { ...base, tone: "silent", count: totals.silent, says: "overview.watched.silent" }
    : { ...base, tone: "calm", count: null, says: "overview.watched.allSub" };
}

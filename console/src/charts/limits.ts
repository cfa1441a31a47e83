/** A rule's thresholds on a point's chart. Pure. */
import type { Limit, Rule } from "../api/types";

/** The thresholds of `rules` on `point`, each height once, the worst of it. */
export function limitsOn(point: string, limits: readonly Limit[]): Limit[] {
  const found = new Map<number, Limit>();
  for (const one of limits) {
    if (one.point === point && !found.has(one.value)) found.set(one.value, one);
  }
  return [...found.values()];
}

/** The thresholds of the rules with these ids. */
export function limitsOf(rules: readonly Rule[], ids: readonly string[]): Limit[] {
  return rules.filter((rule) => ids.includes(rule.id)).flatMap((rule) => rule.limits);
}

/**
 * The lowest and highest value a chart shows: its readings, and each threshold that is near enough not to
 * flatten them.
 */
export function reach(low: number, high: number, limits: readonly Limit[]): [number, number] {
  const span = Math.max(high - low, Math.abs(high) * 0.1, 1e-9);
  const near = limits.map((one) => one.value).filter((at) => at < high + 6 * span && at > low - 6 * span);
  return [Math.min(low, ...near), Math.max(high, ...near)];
}

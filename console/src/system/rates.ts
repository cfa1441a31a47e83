/** Throughput by stage, the two lanes side by side, in the order of the readings' way. Pure. */
import type { System } from "../api/types";

export interface StageRate {
  stage: string;
  alarm: number;
  telemetry: number;
}

export function byStage(rates: System["rates"]): StageRate[] {
  const found = new Map<string, StageRate>();
  for (const rate of rates) {
    const row = found.get(rate.stage) ?? { stage: rate.stage, alarm: 0, telemetry: 0 };
    row[rate.lane] += rate.per_second;
    found.set(rate.stage, row);
  }
  return [...found.values()];
}

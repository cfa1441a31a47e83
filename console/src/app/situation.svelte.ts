/** The overview's data, for the overview itself and for the counts that every page shows. */
import { api, asked } from "../api/client";
import type { Alarm, Overview } from "../api/types";
import { mergeAlarm } from "../alarms/order";
import { feed } from "./feed.svelte";
import { Load } from "./load.svelte";

const SAFETY_REFRESH_MS = 30_000;
const BURNING = 20;

/** Whether an alarm is one that somebody must hear about at once. */
export function isNewCritical(alarm: Alarm, known: ReadonlySet<string>): boolean {
  return (
    alarm.open &&
    !alarm.acknowledged &&
    alarm.severity === "critical" &&
    (alarm.condition === "active" || alarm.condition === "prealarm") &&
    !known.has(alarm.id)
  );
}

class Situation {
  load = new Load<Overview>(() => asked(api.GET("/api/v1/overview")));
  /** The newest critical alarm that nobody has answered or put away yet. */
  news = $state.raw<Alarm | null>(null);

  #known = new Set<string>();

  start(): () => void {
    void this.load.refresh().then(() => this.#remember());
    const leave = feed.listen({
      alarm: (alarm) => this.#hear(alarm),
      case: () => this.load.soon(),
      stale: () => this.load.soon(0),
      site: () => this.load.soon(0),
    });
    // Silent devices and overdue limits come about by time passing, without an event.
    const timer = setInterval(() => this.load.soon(0), SAFETY_REFRESH_MS);
    return () => {
      leave();
      clearInterval(timer);
      this.load.stop();
    };
  }

  dismiss(): void {
    this.news = null;
  }

  #remember(): void {
    for (const alarm of this.load.data?.burning ?? []) this.#known.add(alarm.id);
  }

  #hear(alarm: Alarm): void {
    if (isNewCritical(alarm, this.#known)) {
      this.#known.add(alarm.id);
      this.news = alarm;
    } else if (this.news?.id === alarm.id && (alarm.acknowledged || !alarm.open)) {
      this.news = null;
    }
    const data = this.load.data;
    if (data) {
      const serious = alarm.severity === "critical" || alarm.severity === "high";
      const burning = mergeAlarm(data.burning, alarm, (one) => one.open && serious);
      this.load.data = { ...data, burning: burning.slice(0, BURNING) };
    }
    this.load.soon();
  }
}

export const situation = new Situation();

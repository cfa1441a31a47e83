/** Acknowledge and reset: the two things an operator does to an alarm, or to several at once. */
import { api, asked, Refusal } from "../api/client";
import type { Alarm, AlarmDetail } from "../api/types";
import { acting } from "../app/acting.svelte";

/** What the dialog is open for. */
export interface Asked {
  act: "acknowledge" | "reset";
  alarms: readonly Alarm[];
}

/** So many requests are under way at once when several alarms are acknowledged. */
const AT_ONCE = 4;

class Acts {
  asked = $state.raw<Asked | null>(null);
  failure = $state.raw<Refusal | null>(null);
  busy = $state(false);
  /** How many of those asked for are done already. */
  done = $state(0);
  #changed: (alarm: AlarmDetail) => void = () => undefined;

  /** Ask for the note, as whoever is acting. `changed` gets each alarm as it is afterwards. */
  ask(act: Asked["act"], alarms: readonly Alarm[], changed: (alarm: AlarmDetail) => void): void {
    acting.as(() => {
      this.failure = null;
      this.done = 0;
      this.asked = { act, alarms };
      this.#changed = changed;
    });
  }

  /** Do it to each alarm; those that were refused stay in question, with the first reason. */
  async send(actor: string, note: string): Promise<void> {
    const what = this.asked;
    if (!what || this.busy) return;
    this.busy = true;
    this.failure = null;
    this.done = 0;
    const waiting = [...what.alarms];
    const refused: Alarm[] = [];
    const work = async () => {
      for (let alarm = waiting.shift(); alarm; alarm = waiting.shift()) {
        try {
          this.#changed(await this.#one(what.act, alarm, actor, note));
          this.done++;
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          this.failure ??= error;
          refused.push(alarm);
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, work));
      this.asked = refused.length ? { act: what.act, alarms: refused } : null;
    } finally {
      this.busy = false;
    }
  }

  #one(act: Asked["act"], alarm: Alarm, actor: string, note: string): Promise<AlarmDetail> {
    const request = { params: { path: { alarm: alarm.id } }, body: { actor, note } };
    return asked(
      act === "acknowledge"
        ? api.POST("/api/v1/alarms/{alarm}/acknowledge", request)
        : api.POST("/api/v1/alarms/{alarm}/reset", request),
    );
  }

  close(): void {
    this.asked = null;
  }
}

export const acts = new Acts();

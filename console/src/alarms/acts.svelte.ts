/** Acknowledge and reset: the two things an operator does to an alarm. */
import { api, asked, Refusal } from "../api/client";
import type { Alarm, AlarmDetail } from "../api/types";
import { acting } from "../app/acting.svelte";

/** What the dialog is open for. */
export interface Asked {
  act: "acknowledge" | "reset";
  alarm: Alarm;
}

class Acts {
  asked = $state.raw<Asked | null>(null);
  failure = $state.raw<Refusal | null>(null);
  busy = $state(false);
  #done: (alarm: AlarmDetail) => void = () => undefined;

  /** Ask for the note, as whoever is acting. `done` gets the alarm as it is afterwards. */
  ask(act: Asked["act"], alarm: Alarm, done: (alarm: AlarmDetail) => void): void {
    acting.as(() => {
      this.failure = null;
      this.asked = { act, alarm };
      this.#done = done;
    });
  }

  async send(actor: string, note: string): Promise<void> {
    const what = this.asked;
    if (!what || this.busy) return;
    this.busy = true;
    const request = { params: { path: { alarm: what.alarm.id } }, body: { actor, note } };
    try {
      const changed = await asked(
        what.act === "acknowledge"
          ? api.POST("/api/v1/alarms/{alarm}/acknowledge", request)
          : api.POST("/api/v1/alarms/{alarm}/reset", request),
      );
      this.#done(changed);
      this.asked = null;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.failure = error;
    } finally {
      this.busy = false;
    }
  }

  close(): void {
    this.asked = null;
  }
}

export const acts = new Acts();

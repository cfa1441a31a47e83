/** Which alarms of a list are chosen, to be acknowledged together. */
import { SvelteSet } from "svelte/reactivity";

import type { Alarm } from "../api/types";
import { acknowledgeable } from "./order";

export class Selection {
  #ids = new SvelteSet<string>();

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  toggle(id: string): void {
    if (!this.#ids.delete(id)) this.#ids.add(id);
  }

  /** All that may be acknowledged but the critical ones: those are chosen one by one. */
  most(alarms: readonly Alarm[]): void {
    for (const one of alarms) {
      if (acknowledgeable(one) && one.severity !== "critical") this.#ids.add(one.id);
    }
  }

  clear(): void {
    this.#ids.clear();
  }

  /** Those of `alarms` that are chosen and may still be acknowledged. */
  of(alarms: readonly Alarm[]): Alarm[] {
    return alarms.filter((one) => acknowledgeable(one) && this.#ids.has(one.id));
  }
}

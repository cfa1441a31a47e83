/** Something fetched: its data, what went wrong, and whether it is under way. Old data stays while new comes. */
import { Refusal } from "../api/client";

export class Load<T> {
  data = $state.raw<T | null>(null);
  failure = $state.raw<Refusal | null>(null);
  busy = $state(false);
  /** When the data came, epoch ms. */
  at = $state(0);

  #fetch: () => Promise<T>;
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(fetch: () => Promise<T>) {
    this.#fetch = fetch;
  }

  /** Fetch now. An answer that a later question has overtaken is dropped. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    this.busy = true;
    try {
      const data = await this.#fetch();
      if (turn !== this.#turn) return;
      this.data = data;
      this.failure = null;
      this.at = Date.now();
    } catch (error) {
      if (turn !== this.#turn) return;
      if (!(error instanceof Refusal)) throw error;
      this.failure = error;
    } finally {
      if (turn === this.#turn) this.busy = false;
    }
  }

  /** Fetch soon, once for everything that happens within `delay` ms: a burst of events is one question. */
  soon(delay = 700): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.refresh();
    }, delay);
  }

  /** Forget what is under way (the page is gone). */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#turn++;
  }
}

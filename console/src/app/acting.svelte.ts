/** Who is acting. Stands where the login will: an act without an actor first asks who it is. */
import { prefs } from "./prefs.svelte";

class Acting {
  choosing = $state(false);
  /** Ids of people who have to do with what the page shows: offered first. */
  likely = $state.raw<readonly string[]>([]);
  #then: ((actor: string) => void) | null = null;

  /** Do `then` with the actor's id; when nobody is chosen yet, after somebody was. */
  as(then: (actor: string) => void): void {
    if (prefs.actor) return then(prefs.actor);
    this.#then = then;
    this.choosing = true;
  }

  /** Say who has to do with what the page shows; returns how to take it back. */
  near(people: readonly string[]): () => void {
    this.likely = people;
    return () => (this.likely = []);
  }

  choose(actor: string): void {
    prefs.actor = actor;
    const then = this.#then;
    this.close();
    then?.(actor);
  }

  close(): void {
    this.choosing = false;
    this.#then = null;
  }
}

export const acting = new Acting();

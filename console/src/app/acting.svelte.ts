/** Who is acting. Stands where the login will: an act without an actor first asks who it is. */
import { prefs } from "./prefs.svelte";

class Acting {
  choosing = $state(false);
  #then: ((actor: string) => void) | null = null;

  /** Do `then` with the actor's id; when nobody is chosen yet, after somebody was. */
  as(then: (actor: string) => void): void {
    if (prefs.actor) return then(prefs.actor);
    this.#then = then;
    this.choosing = true;
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

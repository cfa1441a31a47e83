/** Keeping a list as it is: fetched anew for another filter, when something happens, and every now and then. */
import { untrack } from "svelte";

import { feed, type Listener } from "./feed.svelte";
import type { PagedLoad } from "./pages";

/**
 * Call while a component is made. `filter` reads whatever the question depends on; `listener` hears the live
 * feed; `every` ms the list is fetched anew even so (what comes about by time passing has no event).
 */
export function keep<T>(load: PagedLoad<T>, filter: () => unknown, listener: Listener, every = 0): void {
  const asked = $derived(JSON.stringify(filter()));
  $effect(() => {
    void asked;
    untrack(() => load.restart());
  });
  $effect(() => {
    const leave = feed.listen({ stale: () => load.soon(0), ...listener });
    const timer = every ? setInterval(() => load.soon(0), every) : undefined;
    return () => {
      leave();
      clearInterval(timer);
      load.stop();
    };
  });
}

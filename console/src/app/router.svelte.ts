/** The browser's address as state. Links are plain `<a href>`; clicks on ours are taken over. */
import { changed, pageAt, to, type Page, type Query } from "./address";

class Router {
  #path = $state(location.pathname);
  #search = $state(location.search);

  readonly page: Page = $derived(pageAt(this.#path));
  readonly query: Query = $derived(Object.fromEntries(new URLSearchParams(this.#search)));

  /** Listen to the browser; returns how to stop. */
  start(): () => void {
    const moved = () => this.#read();
    const clicked = (event: MouseEvent) => this.#click(event);
    addEventListener("popstate", moved);
    document.addEventListener("click", clicked);
    return () => {
      removeEventListener("popstate", moved);
      document.removeEventListener("click", clicked);
    };
  }

  go(address: string): void {
    history.pushState(null, "", address);
    this.#read();
    scrollTo(0, 0);
  }

  /** Change filters in place: the way back leaves the page rather than undoing letter by letter. */
  filter(change: Query): void {
    const address = to(
      this.#path.split("/").filter(Boolean).map(decodeURIComponent),
      changed(this.query, change),
    );
    history.replaceState(null, "", address);
    this.#read();
  }

  #read(): void {
    this.#path = location.pathname;
    this.#search = location.search;
  }

  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/") || link.hasAttribute("download")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();

/** A list that comes in pages: the first ones are fetched anew together, more are asked for by a person. */
import { Load } from "./load.svelte";

export interface Page<T> {
  items: T[];
  total: number;
  next?: string | null | undefined;
}

/**
 * The first `wanted` pages as one, following each one's `next`. What moved from one page to the next
 * between two questions is kept once.
 */
export async function gathered<T>(
  ask: (after: string) => Promise<Page<T>>,
  wanted: number,
  key: (item: T) => string,
): Promise<Page<T>> {
  const found = new Map<string, T>();
  let page = await ask("");
  for (const one of page.items) found.set(key(one), one);
  for (let count = 1; count < wanted && page.next; count++) {
    page = await ask(page.next);
    for (const one of page.items) found.set(key(one), one);
  }
  return { items: [...found.values()], total: page.total, next: page.next ?? null };
}

export class PagedLoad<T> extends Load<Page<T>> {
  #pages: { wanted: number };

  constructor(ask: (after: string) => Promise<Page<T>>, key: (item: T) => string) {
    const pages = { wanted: 1 };
    super(() => gathered(ask, pages.wanted, key));
    this.#pages = pages;
  }

  /** From the beginning, for another question. */
  restart(): void {
    this.#pages.wanted = 1;
    void this.refresh();
  }

  /** One page more. */
  more(): void {
    this.#pages.wanted++;
    void this.refresh();
  }
}

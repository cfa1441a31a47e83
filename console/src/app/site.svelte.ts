/** The community, loaded once: grids, people, categories, rules, and names by language. */
import { api, asked } from "../api/client";
import type { Grid, Person, Site, Text, Unit } from "../api/types";
import { childrenOf } from "./grids";
import { Load } from "./load.svelte";
import { prefs } from "./prefs.svelte";

/** `text` in `language`, else in Chinese, else whatever there is. */
export function inLanguage(text: Text | undefined, language: string): string {
  if (!text) return "";
  return text[language] || text[language.split("-")[0] ?? ""] || text["zh"] || Object.values(text)[0] || "";
}

class SiteStore {
  load = new Load<Site>(() => asked(api.GET("/api/v1/site")));

  readonly timezone: string = $derived(this.load.data?.timezone ?? "Asia/Shanghai");
  readonly grids: ReadonlyMap<string, Grid> = $derived(
    new Map(this.load.data?.grids.map((grid) => [grid.id, grid])),
  );
  readonly people: ReadonlyMap<string, Person> = $derived(
    new Map(this.load.data?.people.map((person) => [person.id, person])),
  );
  readonly units: ReadonlyMap<string, Unit> = $derived(
    new Map(this.load.data?.units.map((unit) => [unit.id, unit])),
  );
  readonly children: ReadonlyMap<string, readonly Grid[]> = $derived(childrenOf(this.load.data?.grids ?? []));

  get actor(): Person | undefined {
    return this.people.get(prefs.actor);
  }

  /** A name in the language shown. */
  say(text: Text | undefined): string {
    return inLanguage(text, prefs.language);
  }

  gridName(id: string): string {
    const grid = this.grids.get(id);
    return grid ? this.say(grid.name) : id;
  }

  /** The grids from level 1 down to `id`. */
  path(id: string): Grid[] {
    const found: Grid[] = [];
    for (let grid = this.grids.get(id); grid && found.length < 9; grid = this.grids.get(grid.parent ?? "")) {
      found.unshift(grid);
    }
    return found;
  }

  /** The officer of a grid: its own, else that of the grid above. */
  officerOf(id: string): Person | undefined {
    for (const grid of this.path(id).reverse()) {
      const person = grid.officer ? this.people.get(grid.officer) : undefined;
      if (person) return person;
    }
    return undefined;
  }

  /** What people call a department or team. */
  unitName(id: string): string {
    const unit = this.units.get(id);
    return unit ? this.say(unit.name) : id;
  }

  personName(id: string): string {
    return this.people.get(id)?.name ?? id;
  }
}

export const site = new SiteStore();

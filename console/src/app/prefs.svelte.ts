/** What this browser remembers: language, light or dark, and who is acting. */

export const LANGUAGES = ["zh-CN", "en"] as const;
export type Language = (typeof LANGUAGES)[number];
export type Theme = "auto" | "light" | "dark";

const KEY = "gridwarden";

interface Kept {
  language: Language;
  theme: Theme;
  actor: string;
}

/** The best of our languages for a browser's wishes; Chinese when none fits. */
export function preferredLanguage(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    if (wish.toLowerCase().startsWith("zh")) return "zh-CN";
    if (wish.toLowerCase().startsWith("en")) return "en";
  }
  return "zh-CN";
}

function kept(): Partial<Kept> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Kept>;
  } catch {
    return {}; // Storage is switched off or was written by something else: start from the defaults.
  }
}

class Prefs {
  language = $state<Language>("zh-CN");
  theme = $state<Theme>("auto");
  /** Id of the person who acts; empty until somebody is chosen. */
  actor = $state("");

  #systemDark = $state(false);

  /** Light or dark, as it is shown now. */
  readonly shade: "light" | "dark" = $derived(
    this.theme === "auto" ? (this.#systemDark ? "dark" : "light") : this.theme,
  );

  constructor() {
    const dark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
    this.#systemDark = dark?.matches ?? false;
    dark?.addEventListener("change", () => (this.#systemDark = dark.matches));
    const found = kept();
    this.language = LANGUAGES.find((one) => one === found.language) ?? preferredLanguage(navigator.languages);
    this.theme = found.theme === "light" || found.theme === "dark" ? found.theme : "auto";
    this.actor = typeof found.actor === "string" ? found.actor : "";
  }

  /** Write to the browser's storage and to the document. Call from an effect. */
  apply(): void {
    const now: Kept = { language: this.language, theme: this.theme, actor: this.actor };
    document.documentElement.lang = now.language;
    document.documentElement.dataset["theme"] = this.shade;
    try {
      localStorage.setItem(KEY, JSON.stringify(now));
    } catch {
      // A browser that keeps nothing still works; it asks again next time.
    }
  }
}

export const prefs = new Prefs();

/** What the console says, in the language chosen. Catalogues are JSON, key by key the same in every language. */
import { prefs, type Language } from "../app/prefs.svelte";
import en from "./en.json";
import zh from "./zh-CN.json";

export type Key = keyof typeof en;
type Values = Readonly<Record<string, string | number>>;

export const CATALOGUES: Record<Language, Record<Key, string>> = { "zh-CN": zh, en };

/** `{name}` is a value; `{n|alarm|alarms}` picks by the number n (singular, plural). */
export function fill(template: string, values: Values): string {
  return template
    .replace(/\{(\w+)\|([^|}]*)\|([^}]*)\}/g, (_, name: string, one: string, many: string) =>
      Number(values[name]) === 1 ? one : many,
    )
    .replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function t(key: Key, values: Values = {}): string {
  return fill(CATALOGUES[prefs.language][key], values);
}

/**
 * A word of the API's vocabulary, e.g. `word("case", "in_progress")`. The vocabulary may grow before the
 * catalogue does: then the word itself is shown, readable, rather than nothing.
 */
export function word(group: string, value: string): string {
  const key = `${group}.${value}`;
  return key in en ? t(key as Key) : value.replaceAll("_", " ");
}

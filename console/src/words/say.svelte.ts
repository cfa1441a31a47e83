/** The formats with the language chosen, the site's zone and the present filled in. Reactive. */
import type { Kind, Scalar } from "../api/types";
import { clock } from "../app/clock.svelte";
import { prefs } from "../app/prefs.svelte";
import { site } from "../app/site.svelte";
import * as format from "./format";
import { t, word } from "./words.svelte";

export const moment = (at: string | number, seconds = false) =>
  format.moment(at, clock.now, prefs.language, site.timezone, seconds);
export const fullMoment = (at: string | number) => format.fullMoment(at, prefs.language, site.timezone);
export const relative = (at: string | number) => format.relative(at, clock.now, prefs.language);
export const duration = (ms: number) => format.duration(ms, prefs.language);
/** How a clock stands: `3 min behind`; less than half a second is nothing to say. */
export function clockOffset(seconds: number): string {
  if (Math.abs(seconds) < 0.5) return t("device.clockRight");
  return t(seconds < 0 ? "device.clockBehind" : "device.clockAhead", {
    duration: duration(Math.abs(seconds) * 1000),
  });
}
export const stopwatch = (ms: number) => format.stopwatch(ms, prefs.language);
export const number = (value: number, digits?: number) => format.number(value, prefs.language, digits);
export const bytes = (value: number) => format.bytes(value, prefs.language);

/** Classes whose two positions have words of their own; every other switch is normal or active. */
const SWITCH_WORDS: Readonly<Record<string, "open" | "link">> = {
  door: "open",
  window: "open",
  opening: "open",
  connectivity: "link",
};

/** A point's value with its unit, e.g. `61.4 °C`, `Open`, `person`. */
export function value(given: Scalar, unit = "", kind: Kind | "" = "", deviceClass = ""): string {
  if (given === null) return t("value.unknown");
  if (typeof given === "boolean" || kind === "binary") {
    return word("value", `${SWITCH_WORDS[deviceClass] ?? "switch"}.${Boolean(given)}`);
  }
  if (typeof given === "string") return word("event", given);
  if (deviceClass === "timestamp") return moment(given * 1000, true);
  const symbol = format.unitSymbol(unit);
  const shown = number(given);
  if (!symbol) return shown;
  return symbol.startsWith("%") ? `${shown}${symbol}` : `${shown} ${symbol}`;
}

/** A point's name when only its id is known. */
export const pointName = (point: string) => word("point", point);

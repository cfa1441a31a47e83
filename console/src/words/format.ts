/** Numbers, times and durations as people read them. Pure: language, zone and the present are passed in. */

/** Symbols of the UCUM codes that readings come in; other codes are shown as they are. */
const SYMBOLS: Readonly<Record<string, string>> = {
  Cel: "°C",
  "[ppm]": "ppm",
  "ug/m3": "µg/m³",
  "m3/min": "m³/min",
  "%LEL": "% LEL",
  "1": "",
  By: "B",
};

export function unitSymbol(code: string): string {
  return SYMBOLS[code] ?? code;
}

const cache = new Map<string, Intl.DateTimeFormat>();

/** Making a format costs 50 times more than using it, and lists use thousands. */
function dateFormat(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language + JSON.stringify(options);
  let found = cache.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(language, options);
    cache.set(key, found);
  }
  return found;
}

type Instant = string | number | Date;

const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;

/** `21:04` or `21:04:09`. */
export function timeOfDay(at: Instant, language: string, timeZone: string, seconds = false): string {
  const options = seconds ? { ...TIME, second: "2-digit" as const } : TIME;
  return dateFormat(language, { ...options, timeZone }).format(new Date(at));
}

/** The day as `2026-11-23`, for comparing. */
export function dayOf(at: Instant, timeZone: string): string {
  return dateFormat("sv-SE", { timeZone, dateStyle: "short" }).format(new Date(at));
}

/** Time of day; with month and day when that is not today, with the year when that is another. */
export function moment(
  at: Instant,
  now: Instant,
  language: string,
  timeZone: string,
  seconds = false,
): string {
  const clock = timeOfDay(at, language, timeZone, seconds);
  const [day, today] = [dayOf(at, timeZone), dayOf(now, timeZone)];
  if (day === today) return clock;
  const year = day.slice(0, 4) === today.slice(0, 4) ? {} : ({ year: "numeric" } as const);
  const date = dateFormat(language, { ...year, month: "short", day: "numeric", timeZone }).format(
    new Date(at),
  );
  return `${date} ${clock}`;
}

/** Everything: date, time with seconds, zone. For tooltips and records. */
export function fullMoment(at: Instant, language: string, timeZone: string): string {
  return dateFormat(language, {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    ...TIME,
    second: "2-digit",
    timeZone,
    timeZoneName: "short",
  }).format(new Date(at));
}

/** A length of time in two units at most: `45 s`, `3 min 20 s`, `2 h 5 min`, `4 d 2 h`. */
export function duration(ms: number, language: string): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const zh = language.startsWith("zh");
  const [d, h, m, s] = zh ? ["天", "小时", "分", "秒"] : [" d", " h", " min", " s"];
  const join = zh ? "" : " ";
  const parts: [number, string | undefined][] = [
    [Math.floor(seconds / 86_400), d],
    [Math.floor((seconds % 86_400) / 3600), h],
    [Math.floor((seconds % 3600) / 60), m],
    [seconds % 60, s],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return `0${s}`;
  return parts
    .slice(first, first + 2)
    .filter(([count], place) => place === 0 || count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(join);
}

/** A running time that keeps its width: `03:20`, `1:02:45`; from a day on `26 h`, `4 d`. */
export function stopwatch(ms: number, language: string): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  if (seconds >= 86_400) return duration(Math.floor(seconds / 3600) * 3_600_000, language);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/** `3 minutes ago`, `in 2 hours`. */
export function relative(at: Instant, now: Instant, language: string): string {
  const seconds = Math.round((new Date(at).getTime() - new Date(now).getTime()) / 1000);
  const size = Math.abs(seconds);
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  if (size < 60) return format.format(seconds, "second");
  if (size < 3600) return format.format(Math.trunc(seconds / 60), "minute");
  if (size < 86_400) return format.format(Math.trunc(seconds / 3600), "hour");
  return format.format(Math.trunc(seconds / 86_400), "day");
}

/** A measured number: as many decimals as mean something, never more than `digits` of them, never `-0`. */
export function number(value: number, language: string, digits = 2): string {
  const options = { maximumFractionDigits: digits, signDisplay: "negative" } as const;
  return new Intl.NumberFormat(language, options).format(value);
}

export function bytes(value: number, language: string): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = value;
  let place = 0;
  while (size >= 1000 && place < units.length - 1) {
    size /= 1000;
    place++;
  }
  return `${number(size, language, size < 10 && place > 0 ? 1 : 0)} ${units[place]}`;
}

/** Grafana's names of colours in the console's own colours. Pure. */

export interface Paint {
  /** A colour for CSS. */
  fill: string;
  /** The colour of words on it. */
  ink: string;
}

/** The console knows one red only; a board that tells critical from high apart has two. */
const RED = "#dc4a4f";
const NAMED: Readonly<Record<string, Paint>> = {
  "dark-red": { fill: "var(--critical)", ink: "var(--critical-on)" },
  red: { fill: RED, ink: "#ffffff" },
  orange: { fill: "var(--high)", ink: "var(--high-on)" },
  yellow: { fill: "var(--medium)", ink: "var(--medium-on)" },
  blue: { fill: "var(--low)", ink: "var(--low-on)" },
  green: { fill: "var(--ok-ink)", ink: "#ffffff" },
  transparent: { fill: "transparent", ink: "var(--ink)" },
};

/** For curves that nobody gave a colour. */
const CURVES = [
  "#3a6d9e", "#bd4800", "#276743", "#8a5fb0", "#c79a00", "#1b9aaa", "#c2477f", "#64707a", "#7a9a1e", "#5b4bd1",
  "#a0522d", "#00796b", "#dc4a4f", "#90a4ae",
] as const; // prettier-ignore

export function paint(name: string): Paint {
  return NAMED[name] ?? { fill: name, ink: isDark(name) ? "#ffffff" : "#11171c" };
}

/** The colour of the curve at this place. */
export function curveColour(place: number): string {
  return CURVES[place % CURVES.length] ?? CURVES[0];
}

/** A colour as a canvas takes it, which knows no custom properties. */
export function plain(fill: string, property: (name: string) => string): string {
  const token = /^var\((--[\w-]+)\)$/.exec(fill)?.[1];
  return token ? property(token).trim() : fill;
}

/** Whether white words are read better on it than black ones; `colour` is #rrggbb. */
function isDark(colour: string): boolean {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue < 140;
}

/** How a chart looks: uPlot's options for given lines, zone and colours. */
import uPlot from "uplot";

import { moment, number, timeOfDay } from "../words/format";
import type { Limit, Severity } from "../api/types";
import type { Lines } from "./data";
import { reach } from "./limits";

export interface Mark {
  /** Epoch ms. */
  at: number;
  label: string;
  tone: "critical" | "high" | "medium" | "low" | "plain";
}

export interface Look {
  width: number;
  height: number;
  language: string;
  timezone: string;
  unit: string;
  /** Words of a switch's two positions. */
  positions: readonly [string, string];
  start: number;
  end: number;
  marks: readonly Mark[];
  /** Thresholds of rules: dashed lines across. */
  limits: readonly Limit[];
  /** Colour of a custom property of the page. */
  colour: (name: string) => string;
  syncKey: string;
  /** What a severity is called. */
  severity: (severity: Severity) => string;
  font: string;
}

export function chartOptions(lines: Lines, look: Look): uPlot.Options {
  const { colour } = look;
  const axis = { stroke: colour("ink-3"), font: look.font, grid: { stroke: colour("line"), width: 1 } };
  const step = uPlot.paths.stepped?.({ align: 1 });
  const line: uPlot.Series = {
    stroke: colour("accent"),
    width: 1.5,
    points: { show: lines.shape === "raw" && !lines.steps && lines.columns[0].length < 60, size: 4 },
    ...(lines.steps && step ? { paths: step, fill: colour("accent-tint") } : {}),
  };
  const edge: uPlot.Series = { stroke: "transparent", width: 0, points: { show: false } };
  return {
    width: look.width,
    height: look.height,
    ms: 1,
    tzDate: (at) => uPlot.tzDate(new Date(at), look.timezone),
    legend: { show: false },
    cursor: {
      drag: { x: false, y: false },
      points: { size: 6 },
      sync: { key: look.syncKey, scales: ["x", null] },
    },
    scales: {
      x: { time: true, range: [look.start, look.end] },
      y: lines.steps
        ? { range: [-0.1, 2] }
        : {
            range: (_, low, high) =>
              uPlot.rangeNum(...reach(low, high, look.limits), { min: { pad: 0.1 }, max: { pad: 0.1 } }),
          },
    },
    axes: [
      { ...axis, size: 24, space: 70, values: (_, at) => timeLabels(at, look) },
      {
        ...axis,
        size: 72,
        ...(lines.steps ? { splits: () => [0, 1] } : { space: 28 }),
        values: (_, at) =>
          at.map((value) => (lines.steps ? look.positions[value ? 1 : 0] : number(value, look.language))),
      },
    ],
    series: lines.shape === "band" ? [{}, line, edge, edge] : [{}, line],
    ...(lines.shape === "band" ? { bands: [{ series: [3, 2], fill: colour("accent-tint") }] } : {}),
    hooks: { draw: [(chart) => drawLimits(chart, look), (chart) => drawMarks(chart, look)] },
  };
}

/** Time of day; the date as well where a day begins and when a label is a day or more from the last. */
function timeLabels(at: readonly number[], look: Look): string[] {
  return at.map((one) => {
    const clock = timeOfDay(one, look.language, look.timezone);
    return clock === "00:00"
      ? moment(one, 0, look.language, look.timezone)
          .replace(/ 00:00$/, "")
          .replace(/^\d{4}年/, "")
      : clock;
  });
}

/** A dashed line across at each threshold, with the comparison at its end. */
function drawLimits(chart: uPlot, look: Look): void {
  const { ctx, bbox } = chart;
  const dot = devicePixelRatio;
  ctx.save();
  ctx.font = look.font.replace(/[\d.]+px/, `${parseFloat(look.font) * dot}px`);
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.lineWidth = dot;
  ctx.setLineDash([8 * dot, 4 * dot]);
  for (const limit of look.limits) {
    const y = Math.round(chart.valToPos(limit.value, "y", true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = ctx.fillStyle = look.colour(`${limit.severity}-ink`);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    const label = `${look.severity(limit.severity)} ${limit.op} ${number(limit.value, look.language)}`;
    ctx.fillText(label, bbox.left + bbox.width - 4 * dot, y - 2 * dot);
  }
  ctx.restore();
}

/** A dashed line with its word at each mark: where the alarm was raised, cleared, answered. */
function drawMarks(chart: uPlot, look: Look): void {
  const { ctx, bbox } = chart;
  const dot = devicePixelRatio;
  const size = parseFloat(look.font) * dot;
  ctx.save();
  ctx.font = look.font.replace(/[\d.]+px/, `${size}px`);
  ctx.lineWidth = dot;
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  const shown = look.marks.filter((mark) => mark.at >= look.start && mark.at <= look.end);
  const rows = inRows(
    shown.map((mark) => {
      const x = Math.round(chart.valToPos(mark.at, "x", true)) + 0.5;
      const width = ctx.measureText(mark.label).width + 8 * dot;
      return { x, left: x + width > bbox.left + bbox.width ? x - width : x, width };
    }),
  );
  shown.forEach((mark, index) => {
    const { x, left, row } = rows[index] ?? { x: 0, left: 0, row: 0 };
    const tone = look.colour(mark.tone === "plain" ? "ink-3" : `${mark.tone}-ink`);
    ctx.strokeStyle = tone;
    ctx.fillStyle = tone;
    ctx.setLineDash([4 * dot, 3 * dot]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(mark.label, left + 4 * dot, bbox.top + row * size * 1.25);
  });
  ctx.restore();
}

interface Label {
  x: number;
  left: number;
  width: number;
}

/** Each label in the first row where it covers no other. */
export function inRows<T extends Label>(labels: readonly T[]): (T & { row: number })[] {
  const taken: Label[][] = [];
  return labels.map((label) => {
    const clear = (row: Label[]) =>
      row.every((one) => label.left >= one.left + one.width || one.left >= label.left + label.width);
    let row = taken.findIndex(clear);
    if (row < 0) row = taken.push([]) - 1;
    taken[row]?.push(label);
    return { ...label, row };
  });
}

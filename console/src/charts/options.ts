/** How a chart looks: uPlot's options for given lines, zone and colours. */
import uPlot from "uplot";

import type { Limit, Severity } from "../api/types";
import { number } from "../words/format";
import type { Lines } from "./data";
import { besides, dayLabel, inRows, timeLabels } from "./labels";
import { reach } from "./limits";

/** Rows of words above a chart; what finds none free keeps its line and goes without its word. */
const MARK_ROWS = 3;

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
  /** Width of a text in `font`, CSS pixels. */
  measure: (text: string) => number;
}

interface Placed extends Mark {
  left: number;
  width: number;
  row: number | null;
}

/** Size of the font, CSS pixels. */
const sizeOf = (look: Look) => parseFloat(look.font);
const rowOf = (look: Look) => sizeOf(look) * 1.3;
/** Chinese reaches above what a canvas takes for the top of a line. */
const riseOf = (look: Look) => sizeOf(look) * 0.25;

/** The space left and right of where the curves are. */
function sides(look: Look): { left: number; right: number } {
  return { left: sizeOf(look) * 6, right: look.measure("00:00:00") / 2 + 4 };
}

/** Each mark in the window with its word above the chart, none covering another. */
export function placedMarks(look: Look): Placed[] {
  const { left, right } = sides(look);
  const wide = look.width - left - right;
  const shown = look.marks.filter((mark) => mark.at >= look.start && mark.at <= look.end);
  return inRows(
    shown.map((mark) => {
      const x = left + (wide * (mark.at - look.start)) / (look.end - look.start);
      const width = look.measure(mark.label) + sizeOf(look) * 0.75;
      return { ...mark, width, left: Math.max(0, Math.min(x - 2, look.width - width)) };
    }),
    MARK_ROWS,
  );
}

/** The height that the marks' words take above the chart. */
export function headroom(marks: readonly { row: number | null }[], look: Look): number {
  return Math.max(0, ...marks.map((mark) => (mark.row ?? -1) + 1)) * rowOf(look) + riseOf(look) + 4;
}

export function chartOptions(lines: Lines, look: Look): uPlot.Options {
  const { colour } = look;
  const size = sizeOf(look);
  const marks = placedMarks(look);
  const top = headroom(marks, look);
  const { left, right } = sides(look);
  const time = Math.max(
    ...["00:00:00", dayLabel(look.start, look.language, look.timezone)].map(look.measure),
  );
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
    height: look.height + top,
    padding: [top, right, 0, 0],
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
        ? { range: [-0.1, 1.25] }
        : {
            range: (_, low, high) =>
              uPlot.rangeNum(...reach(low, high, look.limits), { min: { pad: 0.1 }, max: { pad: 0.1 } }),
          },
    },
    axes: [
      {
        ...axis,
        size: size * 2.5,
        space: time + size,
        values: (_, at, _axis, _space, step) => timeLabels(at, step, look.language, look.timezone),
      },
      {
        ...axis,
        size: left,
        ...(lines.steps ? { splits: () => [0, 1] } : { space: size * 2.25 }),
        values: (_, at) =>
          at.map((value) => (lines.steps ? look.positions[value ? 1 : 0] : number(value, look.language))),
      },
    ],
    series: lines.shape === "band" ? [{}, line, edge, edge] : [{}, line],
    ...(lines.shape === "band" ? { bands: [{ series: [3, 2], fill: colour("accent-tint") }] } : {}),
    hooks: { draw: [(chart) => drawLimits(chart, look), (chart) => drawMarks(chart, marks, look)] },
  };
}

function inkOf(chart: uPlot, look: Look): CanvasRenderingContext2D {
  const { ctx } = chart;
  ctx.save();
  ctx.font = look.font.replace(/[\d.]+px/, `${sizeOf(look) * devicePixelRatio}px`);
  ctx.lineWidth = devicePixelRatio;
  return ctx;
}

/** A dashed line across at each threshold, with the comparison at its end. */
function drawLimits(chart: uPlot, look: Look): void {
  const { bbox } = chart;
  const dot = devicePixelRatio;
  const ctx = inkOf(chart, look);
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.setLineDash([8 * dot, 4 * dot]);
  const seen = look.limits
    .map((limit) => {
      const label = `${look.severity(limit.severity)} ${limit.op} ${number(limit.value, look.language)}`;
      const y = Math.round(chart.valToPos(limit.value, "y", true)) + 0.5;
      return { limit, label, y, width: ctx.measureText(label).width };
    })
    .filter(({ y }) => y >= bbox.top && y <= bbox.top + bbox.height);
  const ends = besides(seen, rowOf(look) * dot, 8 * dot);
  seen.forEach(({ limit, label, y }, index) => {
    ctx.strokeStyle = ctx.fillStyle = look.colour(`${limit.severity}-ink`);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(label, bbox.left + bbox.width - 4 * dot - (ends[index] ?? 0), y - 2 * dot);
  });
  ctx.restore();
}

/** A dashed line at each mark, from its word above down: where the alarm was raised, cleared, answered. */
function drawMarks(chart: uPlot, marks: readonly Placed[], look: Look): void {
  const { bbox } = chart;
  const dot = devicePixelRatio;
  const ctx = inkOf(chart, look);
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  ctx.setLineDash([4 * dot, 3 * dot]);
  for (const mark of marks) {
    const x = Math.round(chart.valToPos(mark.at, "x", true)) + 0.5;
    const word = ((mark.row ?? 0) * rowOf(look) + riseOf(look)) * dot;
    ctx.strokeStyle = ctx.fillStyle = look.colour(mark.tone === "plain" ? "ink-3" : `${mark.tone}-ink`);
    ctx.beginPath();
    ctx.moveTo(x, mark.row === null ? bbox.top : word);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (mark.row !== null) ctx.fillText(mark.label, (mark.left + 6) * dot, word);
  }
  ctx.restore();
}

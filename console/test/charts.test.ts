import { describe, expect, it } from "vitest";

import type { Evidence, Limit, Series } from "../src/api/types";
import { appended, draws, linesOf, occurrencesOf, summary } from "../src/charts/data";
import { besides, dayLabel, inRows, timeLabels } from "../src/charts/labels";
import { limitsOn, reach } from "../src/charts/limits";
import { headroom, placedMarks, type Look } from "../src/charts/options";
import { sourcesOf, trimmed, windowOf } from "../src/charts/window";

function series(given: Partial<Series>): Series {
  return {
    device: "d",
    point: "temperature",
    unit: "Cel",
    kind: "number",
    start: 0,
    end: 100,
    cut: false,
    ...given,
  };
}

describe("lines of a series", () => {
  it("leave a gap where the device said NaN", () => {
    const lines = linesOf(
      series({
        raw: [
          [10, 20],
          [20, null],
          [30, 21.5],
        ],
      }),
    );
    expect(lines.columns).toEqual([
      [10, 20, 30],
      [20, null, 21.5],
    ]);
  });

  it("hold a switch's position until the end of the window", () => {
    const lines = linesOf(
      series({
        kind: "binary",
        raw: [
          [10, false],
          [40, true],
        ],
      }),
    );
    expect(lines.steps).toBe(true);
    expect(lines.columns).toEqual([
      [10, 40, 100],
      [0, 1, 1],
    ]);
  });

  it("keep minimum and maximum of buckets, so that a spike stays visible", () => {
    const lines = linesOf(series({ buckets: [[0, 20, 80, 25, 9]] }));
    expect(lines).toMatchObject({ shape: "band", columns: [[0], [25], [20], [80]] });
    expect(summary(lines)).toEqual({ min: 20, max: 80, last: 25 });
  });

  it("are empty for an empty series", () => {
    expect(linesOf(series({ raw: [] })).columns[0]).toEqual([]);
    expect(summary(linesOf(series({ raw: [] })))).toBeNull();
  });

  it("grow by live readings, never backwards", () => {
    const lines = linesOf(series({ raw: [[10, 20]] }));
    expect(appended(lines, 20, 21).columns).toEqual([
      [10, 20],
      [20, 21],
    ]);
    expect(appended(lines, 10, 99)).toBe(lines);
  });

  it("are not drawn from words; these are told one by one", () => {
    expect(draws("event")).toBe(false);
    expect(draws("number", "timestamp")).toBe(false);
    const said = occurrencesOf(
      series({
        kind: "event",
        raw: [
          [5, "person"],
          [9, null],
        ],
      }),
    );
    expect(said).toEqual([{ at: 5, what: "person" }]);
  });
});

describe("the window around an event", () => {
  const HOUR = 3_600_000;

  it("never reaches into the future, and not further than a day", () => {
    expect(windowOf(10 * HOUR, null, 10 * HOUR + 60_000).end).toBe(10 * HOUR + 60_000);
    expect(windowOf(10 * HOUR, null, 500 * HOUR).end).toBe(34 * HOUR);
  });

  it("shows what came before and after", () => {
    const shown = windowOf(10 * HOUR, 11 * HOUR, 20 * HOUR);
    expect(shown).toEqual({ start: 9.75 * HOUR, end: 11.25 * HOUR });
  });

  it("leaves out the time before anything was measured, but for a minute", () => {
    const late = series({ raw: [[HOUR, 1]] });
    expect(trimmed({ start: 0, end: 2 * HOUR }, [late]).start).toBe(HOUR - 60_000);
    expect(trimmed({ start: 0, end: 2 * HOUR }, [series({ raw: [] })]).start).toBe(0);
    expect(trimmed({ start: 0, end: 2 * HOUR }, [late, series({ raw: [[5, 1]] })]).start).toBe(0);
  });

  it("shows each point once and no details of camera events", () => {
    const one = (device: string, point: string): Evidence => ({
      device,
      device_name: {},
      point,
      device_class: "",
      value: 1,
      unit: "",
      time: "2026-11-23T12:00:00Z",
      event: "",
    });
    const evidence = [one("a", "smoke"), one("a", "smoke"), one("c", "event"), one("c", "score")];
    expect(sourcesOf(evidence)).toEqual([
      { device: "a", point: "smoke" },
      { device: "c", point: "event" },
    ]);
  });
});

describe("labels of marks", () => {
  it("never cover each other", () => {
    const labels = [0, 20, 60, 65, 70].map((left) => ({ left, width: 50 }));
    expect(inRows(labels, 3).map((one) => one.row)).toEqual([0, 1, 0, 2, 1]);
    expect(inRows(labels, 2).map((one) => one.row)).toEqual([0, 1, 0, null, 1]);
  });

  const look: Look = {
    width: 320,
    height: 190,
    language: "en",
    timezone: "Asia/Shanghai",
    unit: "Cel",
    positions: ["Normal", "Triggered"],
    start: 0,
    end: 600_000,
    marks: [],
    limits: [],
    colour: () => "black",
    syncKey: "",
    severity: (one) => one,
    font: "12px sans",
    measure: (text) => text.length * 7,
  };
  const mark = (at: number, label: string) => ({ at, label, tone: "critical" as const });

  it("stand above the chart, inside it on both sides, even on a phone", () => {
    const marks = [
      mark(0, "Smoke"),
      mark(20_000, "Smoke"),
      mark(595_000, "Room temperature"),
      mark(-1, "gone"),
    ];
    const placed = placedMarks({ ...look, marks });
    expect(placed.map((one) => [one.label, one.row])).toEqual([
      ["Smoke", 0],
      ["Smoke", 1],
      ["Room temperature", 0],
    ]);
    for (const one of placed) {
      expect(one.left).toBeGreaterThanOrEqual(0);
      expect(one.left + one.width).toBeLessThanOrEqual(look.width);
    }
    expect(headroom(placed, look)).toBeGreaterThan(headroom([], look));
  });
});

describe("labels of thresholds", () => {
  it("stand side by side where the lines are near each other", () => {
    const labels = [
      { y: 100, width: 80 },
      { y: 104, width: 60 },
      { y: 96, width: 50 },
      { y: 150, width: 80 },
    ];
    expect(besides(labels, 15, 8)).toEqual([0, 88, 156, 0]);
  });
});

describe("the time axis", () => {
  const at = (clock: string) => Date.parse(`2026-11-23T${clock}+08:00`);

  it("tells seconds where several labels fall into one minute", () => {
    const ticks = [at("11:54:00"), at("11:54:15"), at("11:54:30")];
    expect(timeLabels(ticks, 15_000, "en", "Asia/Shanghai")).toEqual(["11:54:00", "11:54:15", "11:54:30"]);
    expect(timeLabels(ticks.slice(0, 1), 60_000, "en", "Asia/Shanghai")).toEqual(["11:54"]);
  });

  it("tells the day where one begins", () => {
    expect(timeLabels([at("00:00:00"), at("06:00:00")], 21_600_000, "en", "Asia/Shanghai")).toEqual([
      "Nov 23",
      "06:00",
    ]);
    expect(dayLabel(at("00:00:00"), "zh-CN", "Asia/Shanghai")).toBe("11月23日");
  });
});

describe("thresholds", () => {
  const limit = (value: number, severity: Limit["severity"] = "high"): Limit => ({
    rule: "temperature",
    point: "temperature",
    op: ">",
    value,
    severity,
  });

  it("are drawn on their own point, each height once", () => {
    const all = [limit(70, "critical"), limit(70), limit(60), { ...limit(5), point: "humidity" }];
    expect(limitsOn("temperature", all).map((one) => [one.value, one.severity])).toEqual([
      [70, "critical"],
      [60, "high"],
    ]);
  });

  it("widen the chart when near, and never flatten the readings", () => {
    expect(reach(20, 24, [limit(30)])).toEqual([20, 30]);
    expect(reach(20, 24, [limit(500)])).toEqual([20, 24]);
  });
});

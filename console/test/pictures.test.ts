import { describe, expect, it } from "vitest";

import type { Panel, Series } from "../dev/pictures/board";
import { paint, plain } from "../dev/pictures/colours";
import { aligned, barsOf, cellsOf, curvesOf, figureOf, stacked, statesOf } from "../dev/pictures/curves";
import { colorAt, figure } from "../dev/pictures/figures";
import { fieldsOf, rowsOf } from "../dev/pictures/tables";

const MANNER = { language: "en", timezone: "Asia/Shanghai", now: Date.UTC(2026, 10, 23, 13) };
const HOUR = 3_600_000;

type Given = Omit<Partial<Panel>, "fieldConfig"> & { fieldConfig?: Partial<Panel["fieldConfig"]> };

function panel({ fieldConfig, ...given }: Given = {}): Panel {
  return {
    id: 1,
    type: "table",
    title: "",
    gridPos: { x: 0, y: 0, w: 12, h: 9 },
    targets: [{ refId: "A" }],
    fieldConfig: { defaults: {}, overrides: [], ...fieldConfig },
    ...given,
  };
}

const series = (given: Partial<Series>): Series => ({
  name: "door",
  columns: ["time", "count"],
  values: [],
  ...given,
});

const ofDoor = (device: string, column: string, value: number): Series =>
  series({ tags: { device }, columns: ["time", column], values: [[0, value]] });

describe("curves of an answer", () => {
  it("are called by the alias with tags and columns filled in", () => {
    const given = { A: [series({ tags: { building: "8", floor: "6" }, values: [[0, 1]] })] };
    const names = (alias?: string) =>
      curvesOf(panel({ targets: [{ refId: "A", ...(alias ? { alias } : {}) }] }), given).map(
        (one) => one.name,
      );
    expect(names("$tag_building $tag_floor")).toEqual(["8 6"]);
    expect(names("$col")).toEqual(["count"]);
    expect(names("opened")).toEqual(["opened"]);
    expect(names()).toEqual(["door.count"]);
  });

  it("are one per column, without those that have no value at all", () => {
    const answer = series({
      columns: ["time", "max_a", "max_b", "max_c"],
      values: [
        [0, 1, null, false],
        [1, null, null, true],
      ],
    });
    const found = curvesOf(panel({ targets: [{ refId: "A", alias: "$col" }] }), { A: [answer] });
    expect(found.map((one) => [one.name, one.values])).toEqual([
      ["max_a", [1, null]],
      ["max_c", [false, true]],
    ]);
  });

  it("share one axis; a line has a gap only where nulls last longer than it may span", () => {
    const a = { name: "a", times: [0, 1, 2, 3], values: [1, null, null, 4] };
    const b = { name: "b", times: [2.5], values: [9] };
    expect(aligned([a, b], 3)).toEqual([
      [0, 1, 2, 2.5, 3],
      [1, undefined, undefined, undefined, 4],
      [undefined, undefined, undefined, 9, undefined],
    ]);
    expect(aligned([a], 2)[1]).toEqual([1, null, null, 4]);
    expect(aligned([a])[1]).toEqual([1, null, null, 4]);
  });

  it("stand on each other when they are stacked", () => {
    expect(
      stacked([
        [0, 1],
        [1, 2],
        [undefined, 3],
      ]),
    ).toEqual([
      [0, 1],
      [1, 2],
      [1, 5],
    ]);
  });
});

describe("a figure", () => {
  const steps = [
    { value: null, color: "green" },
    { value: 1, color: "orange" },
    { value: 20, color: "red" },
  ];
  const tile = panel({ fieldConfig: { defaults: { noValue: "0", thresholds: { steps } } } });

  it("is the last value, coloured by the highest step that it reaches", () => {
    const given = { A: [series({ values: [[0, 3], [1, 20], [2, null]] })] }; // prettier-ignore
    expect(figureOf(tile, given, MANNER)).toEqual({ text: "20", color: "red" });
    expect(colorAt(19.9, steps)).toBe("orange");
  });

  it("is what the panel says for nothing, and nothing when it says nothing", () => {
    expect(figureOf(tile, {}, MANNER)).toEqual({ text: "0", color: "green" });
    expect(figureOf(panel(), { A: [] }, MANNER)).toBeNull();
  });

  it("is a word where the panel says what a number means", () => {
    const mappings = [{ options: { "1": { text: "balanced", color: "green" } } }];
    const books = panel({ fieldConfig: { defaults: { thresholds: { steps }, mappings } } });
    const said = (value: number) => figureOf(books, { A: [series({ values: [[0, value]] })] }, MANNER);
    expect(said(1)).toEqual({ text: "balanced", color: "green" });
    expect(said(2)).toEqual({ text: "2", color: "orange" });
  });

  it("has its unit", () => {
    const said = (value: number, unit: string, decimals?: number) =>
      figure(value, { unit, decimals }, MANNER);
    expect(said(0.256, "percentunit", 1)).toBe("25.6%");
    expect(said(61.4, "celsius")).toBe("61.4 °C");
    expect(said(-1.5, "s")).toBe("-1.5 s");
    expect(said(3900, "s")).toBe("1 h 5 min");
    expect(said(2_500_000, "bytes")).toBe("2.5 MB");
    expect(said(1234, "short")).toBe("1,234");
  });

  it("is a bar whose length is its share of the largest", () => {
    const gauge = panel({ targets: [{ refId: "A", alias: "$tag_device" }] });
    const given = { A: [ofDoor("a", "count", 2), ofDoor("b", "count", 8)] };
    const lengths = (max?: number) =>
      barsOf({ ...gauge, fieldConfig: { defaults: max ? { max } : {}, overrides: [] } }, given, MANNER).map(
        (bar) => [bar.name, bar.text, bar.share],
      );
    expect(lengths()).toEqual([
      ["a", "2", 0.25],
      ["b", "8", 1],
    ]);
    expect(lengths(16)[1]).toEqual(["b", "8", 0.5]);
  });
});

describe("states over time", () => {
  const door = panel({
    targets: [{ refId: "A", alias: "$tag_device" }],
    fieldConfig: {
      defaults: {
        mappings: [
          { options: { true: { text: "open", color: "orange" }, false: { text: "closed", color: "green" } } },
        ],
      },
    },
  });

  it("are runs of equal values with the words that they mean", () => {
    const answer = series({
      tags: { device: "gate" },
      values: [
        [0, null],
        [1, false],
        [2, false],
        [3, true],
        [4, false],
      ],
    });
    expect(statesOf(door, { A: [answer] }, 9)).toEqual([
      {
        name: "gate",
        runs: [
          { from: 1, to: 3, text: "closed", color: "green" },
          { from: 3, to: 4, text: "open", color: "orange" },
          { from: 4, to: 9, text: "closed", color: "green" },
        ],
      },
    ]);
  });

  it("are a cell for each value in a history, equal ones too", () => {
    const answer = series({
      values: [
        [0, 2],
        [HOUR, 2],
      ],
    });
    const [row] = cellsOf(door, { A: [answer] }, MANNER, 1.5 * HOUR);
    expect(row?.runs.map(({ from, to, text }) => [from, to, text])).toEqual([
      [0, HOUR, "2"],
      [HOUR, 1.5 * HOUR, "2"],
    ]);
  });
});

describe("a table", () => {
  const AT = Date.UTC(2026, 10, 23, 12, 30);
  const alarms = panel({
    transformations: [
      {
        id: "organize",
        options: {
          indexByName: { Time: 0, severity: 1, seen: 2, case: 3, id: 4 },
          renameByName: { Time: "Raised", severity: "Severity", seen: "Seen", case: "Case" },
        },
      },
    ],
    fieldConfig: {
      overrides: [
        { matcher: { options: "id" }, properties: [{ id: "custom.hidden", value: true }] },
        {
          matcher: { options: "Severity" },
          properties: [
            { id: "mappings", value: [{ options: { high: { text: "High", color: "red" } } }] },
            { id: "custom.cellOptions", value: { type: "color-background" } },
          ],
        },
        { matcher: { options: "Case" }, properties: [{ id: "links", value: [{ url: "/cases" }] }] },
      ],
    },
  });

  it("has its columns in order, under their names, values in words, without what is hidden or empty", () => {
    const answer = series({
      columns: ["time", "id", "case", "nothing", "severity", "seen"],
      values: [[AT, "a#1", "BH-1", null, "high", 0]],
    });
    const drawn = rowsOf(alarms, { A: [answer] }, MANNER);
    expect(drawn.columns).toEqual([
      { label: "Raised", number: false },
      { label: "Severity", number: false },
      { label: "Seen", number: true },
      { label: "Case", number: false },
    ]);
    const none = "transparent";
    expect(drawn.rows).toEqual([
      [
        { text: "20:30:00", color: none, link: false },
        { text: "High", color: "red", link: false },
        { text: "0", color: none, link: false },
        { text: "BH-1", color: none, link: true },
      ],
    ]);
  });

  it("has the rows of all series, with their tags", () => {
    const given = { A: [ofDoor("a", "granted", 1), ofDoor("b", "granted", 2)] };
    expect(fieldsOf(panel(), given).map(({ name, values }) => [name, values])).toEqual([
      ["Time", [0, 0]],
      ["device", ["a", "b"]],
      ["granted", [1, 2]],
    ]);
  });

  it("is merged from several by what they have in common, and sorted as the panel says", () => {
    const merged = panel({
      targets: [{ refId: "A" }, { refId: "B" }, { refId: "C" }],
      transformations: [{ id: "merge", options: {} }],
      options: { sortBy: [{ displayName: "denied", desc: true }] },
    });
    const given = {
      A: [ofDoor("a", "granted", 1), ofDoor("b", "granted", 2)],
      B: [ofDoor("b", "denied", 3)],
      C: [],
    };
    expect(rowsOf(merged, given, MANNER).rows.map((row) => row.slice(1).map((cell) => cell.text))).toEqual([
      ["b", "2", "3"],
      ["a", "1", ""],
    ]);
  });

  it("counts rows by what it is grouped by", () => {
    const answer = series({
      columns: ["time", "event", "zone"],
      values: [
        [0, "car", "gate"],
        [1, "person", "yard"],
        [2, "person", "gate"],
      ],
    });
    const fields = {
      zone: { operation: "groupby", aggregations: [] },
      event: { operation: "aggregate", aggregations: ["count"] },
    };
    const grouped = panel({ transformations: [{ id: "groupBy", options: { fields } }] });
    expect(fieldsOf(grouped, { A: [answer] }).map(({ name, values }) => [name, values])).toEqual([
      ["zone", ["gate", "yard"]],
      ["event (count)", [2, 1]],
    ]);
  });

  it("has no rows where nothing came", () => {
    expect(rowsOf(alarms, {}, MANNER)).toEqual({ columns: [], rows: [] });
  });
});

describe("colours", () => {
  it("are the console's, with words that can be read on them", () => {
    expect(paint("dark-red").fill).toBe("var(--critical)");
    expect(paint("#1f3a5f").ink).toBe("#ffffff");
    expect(paint("#81d4fa").ink).not.toBe("#ffffff");
    expect(plain("var(--critical)", (name) => ` ${name}!`)).toBe("--critical!");
    expect(plain("#dc4a4f", () => "")).toBe("#dc4a4f");
  });
});

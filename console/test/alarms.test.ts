import { describe, expect, it } from "vitest";

import { bySeverity, byUrgency, matches, mergeAlarm, type AlarmFilter } from "../src/alarms/order";
import { Selection } from "../src/alarms/selection.svelte";
import { isNewCritical } from "../src/app/situation.svelte";
import { alarm } from "./samples";

const ids = (list: readonly { id: string }[]) => list.map((one) => one.id);
const OPEN: AlarmFilter = { state: "open", severities: [], grid: "", unacknowledged: false };

describe("the order of alarms", () => {
  it("is the worst first, then the unanswered, then the newest", () => {
    const list = [
      alarm({ id: "low", severity: "low" }),
      alarm({ id: "answered", acknowledged: true, raised_at: "2026-11-23T12:09:00Z" }),
      alarm({ id: "older", raised_at: "2026-11-23T12:00:00Z" }),
      alarm({ id: "newer", raised_at: "2026-11-23T12:05:00Z" }),
      alarm({ id: "high", severity: "high" }),
    ];
    expect(ids(list.sort(byUrgency))).toEqual(["newer", "older", "answered", "high", "low"]);
  });
});

describe("an alarm from the live feed", () => {
  const shown = [alarm({ id: "a" }), alarm({ id: "b", severity: "low" })];

  it("takes its place in the list", () => {
    const next = mergeAlarm(shown, alarm({ id: "c", severity: "high" }), (one) => one.open);
    expect(ids(next)).toEqual(["a", "c", "b"]);
  });

  it("replaces its older self", () => {
    const next = mergeAlarm(
      shown,
      alarm({ id: "a", acknowledged: true, changed_at: "2026-11-23T12:01:00Z" }),
      () => true,
    );
    expect(next).toHaveLength(2);
    expect(next[0]?.acknowledged).toBe(true);
  });

  it("never replaces a newer self", () => {
    const newer = [alarm({ id: "a", condition: "latched", changed_at: "2026-11-23T12:10:00Z" })];
    expect(mergeAlarm(newer, alarm({ id: "a" }), () => true)[0]?.condition).toBe("latched");
  });

  it("leaves the list when it no longer belongs there", () => {
    const gone = alarm({ id: "a", open: false, changed_at: "2026-11-23T12:01:00Z" });
    expect(ids(mergeAlarm(shown, gone, (one) => matches(OPEN, one)))).toEqual(["b"]);
  });
});

describe("filters", () => {
  it("find an alarm by any grid on its path", () => {
    expect(matches({ ...OPEN, grid: "R1" }, alarm())).toBe(true);
    expect(matches({ ...OPEN, grid: "R1-03-01" }, alarm())).toBe(true);
    expect(matches({ ...OPEN, grid: "R2" }, alarm())).toBe(false);
  });

  it("combine", () => {
    expect(matches({ ...OPEN, severities: ["high"] }, alarm())).toBe(false);
    expect(matches({ ...OPEN, unacknowledged: true }, alarm({ acknowledged: true }))).toBe(false);
    expect(matches({ ...OPEN, state: "closed" }, alarm({ open: false }))).toBe(true);
  });
});

describe("choosing several", () => {
  const list = [
    alarm({ id: "worst" }),
    alarm({ id: "high", severity: "high" }),
    alarm({ id: "seen", severity: "high", acknowledged: true }),
    alarm({ id: "over", severity: "low", open: false }),
  ];

  it("takes all but the critical ones at once; those are chosen one by one", () => {
    const selection = new Selection();
    selection.most(list);
    expect(ids(selection.of(list))).toEqual(["high"]);
    selection.toggle("worst");
    expect(ids(selection.of(list))).toEqual(["worst", "high"]);
    selection.toggle("high");
    expect(ids(selection.of(list))).toEqual(["worst"]);
    selection.clear();
    expect(selection.of(list)).toEqual([]);
  });

  it("forgets what somebody else has acknowledged meanwhile", () => {
    const selection = new Selection();
    selection.toggle("worst");
    expect(selection.of([alarm({ id: "worst", acknowledged: true })])).toEqual([]);
  });

  it("counts by severity, the worst first", () => {
    expect(bySeverity(list).map(([severity, those]) => [severity, those.length])).toEqual([
      ["critical", 1],
      ["high", 2],
      ["low", 1],
    ]);
  });
});

describe("news", () => {
  it("is a critical alarm that nobody has heard of", () => {
    expect(isNewCritical(alarm(), new Set())).toBe(true);
    expect(isNewCritical(alarm(), new Set(["smoke:d-1#1"]))).toBe(false);
    expect(isNewCritical(alarm({ severity: "high" }), new Set())).toBe(false);
    expect(isNewCritical(alarm({ acknowledged: true }), new Set())).toBe(false);
    expect(isNewCritical(alarm({ condition: "latched" }), new Set())).toBe(false);
  });
});

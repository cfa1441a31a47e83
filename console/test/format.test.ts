import { describe, expect, it } from "vitest";

import * as format from "../src/words/format";

const ZONE = "Asia/Shanghai";
const AT = "2026-11-23T15:59:30Z"; // 23:59:30 in Shanghai.

describe("a moment", () => {
  it("is told on the site's clock, whatever the browser's zone", () => {
    expect(format.timeOfDay(AT, "en", ZONE, true)).toBe("23:59:30");
    expect(format.timeOfDay(AT, "zh-CN", "Europe/London")).toBe("15:59");
  });

  it("carries its date once the site's midnight has passed", () => {
    expect(format.moment(AT, "2026-11-23T15:59:59Z", "en", ZONE)).toBe("23:59");
    expect(format.moment(AT, "2026-11-23T16:00:01Z", "en", ZONE)).toBe("Nov 23 23:59");
    expect(format.moment(AT, "2026-11-23T16:00:01Z", "zh-CN", ZONE)).toBe("11月23日 23:59");
    expect(format.moment(AT, "2027-01-05T00:00:00Z", "en", ZONE)).toBe("Nov 23, 2026 23:59");
  });

  it("shows midnight as 00:00", () => {
    expect(format.timeOfDay("2026-11-23T16:00:00Z", "en", ZONE)).toBe("00:00");
  });
});

describe("a length of time", () => {
  it("has two units at most", () => {
    expect(format.duration(45_000, "en")).toBe("45 s");
    expect(format.duration(200_000, "zh-CN")).toBe("3分20秒");
    expect(format.duration(7_500_000, "en")).toBe("2 h 5 min");
    expect(format.duration(7_200_000, "en")).toBe("2 h");
    expect(format.duration(90_061_000, "zh-CN")).toBe("1天1小时");
    expect(format.duration(-5, "en")).toBe("0 s");
  });

  it("runs like a stopwatch, keeping its width", () => {
    expect(format.stopwatch(59_000, "en")).toBe("00:59");
    expect(format.stopwatch(3_765_000, "en")).toBe("1:02:45");
    expect(format.stopwatch(90_000_000, "en")).toBe("1 d 1 h");
  });

  it("is told relative to the present", () => {
    expect(format.relative("2026-11-23T15:56:30Z", AT, "en")).toBe("3 min. ago");
    expect(format.relative("2026-11-23T17:59:30Z", AT, "zh-CN")).toBe("2小时后");
  });
});

describe("a quantity", () => {
  it("has the symbol people know", () => {
    expect(format.unitSymbol("Cel")).toBe("°C");
    expect(format.unitSymbol("1")).toBe("");
    expect(format.unitSymbol("kPa")).toBe("kPa");
  });

  it("has no more digits than mean something", () => {
    expect(format.number(1234.5678, "en")).toBe("1,234.57");
    expect(format.number(-0.3, "en", 0)).toBe("0");
    expect(format.number(-3, "en", 0)).toBe("-3");
    expect(format.bytes(4_120_000, "en")).toBe("4.1 MB");
    expect(format.bytes(12, "en")).toBe("12 B");
  });
});

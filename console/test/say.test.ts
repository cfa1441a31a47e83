import { beforeEach, describe, expect, it } from "vitest";

import { prefs } from "../src/app/prefs.svelte";
import { clockOffset, value } from "../src/words/say.svelte";

beforeEach(() => {
  prefs.language = "en";
});

describe("a value", () => {
  it("that is a moment is told as one", () => {
    expect(value(1_796_052_689.57, "s", "number", "timestamp")).toMatch(/\d\d:\d\d:\d\d$/);
    expect(value(12.5, "s", "number")).toBe("12.5 s");
  });
});

describe("a clock", () => {
  it("that is less than half a second off is right", () => {
    expect(clockOffset(-0.002)).toBe("in step");
    expect(clockOffset(-180)).toBe("3 min behind");
    expect(clockOffset(2)).toBe("2 s ahead");
    prefs.language = "zh-CN";
    expect(clockOffset(0.1)).toBe("时钟一致");
  });
});

import { describe, expect, it } from "vitest";

import { pageAt } from "../src/app/address";
import { dump, keyOf, queryOf, same, selectionOf } from "../src/quarantine/groups";

const GROUP = {
  stage: "normaliser",
  edge: "binhu-east",
  source: "z2m/new/smoke",
  point: "",
  reason: "unknown_device",
};

describe("a group of the quarantine", () => {
  it("has an address that means it and no other", () => {
    const query = Object.fromEntries(Object.entries(queryOf(GROUP)).filter(([, value]) => value));
    expect(same(GROUP, query)).toBe(true);
    expect(same({ ...GROUP, point: "smoke" }, query)).toBe(false);
    expect(same(GROUP, {})).toBe(false);
    expect(keyOf(GROUP)).not.toBe(keyOf({ ...GROUP, reason: "malformed" }));
    expect(pageAt("/system/quarantine")).toEqual({ name: "quarantine" });
  });

  it("is ordered as a whole", () => {
    expect(selectionOf(GROUP)).toEqual({ ...GROUP, entries: [] });
  });
});

describe("bytes", () => {
  it("stand in lines of sixteen, with their text beside them", () => {
    const bytes = [...Array(17).keys()].map((n) => (0x41 + n).toString(16));
    expect(dump(["00", ...bytes].join(" "))).toEqual([
      { at: "0000", hex: ["00", ...bytes.slice(0, 15)].join(" "), text: "·ABCDEFGHIJKLMNO" },
      { at: "0010", hex: "50 51", text: "PQ" },
    ]);
  });

  it("may be none", () => {
    expect(dump("")).toEqual([]);
  });
});

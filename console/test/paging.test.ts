import { describe, expect, it } from "vitest";

import { gathered, type Page } from "../src/app/pages";

const PAGES: Record<string, Page<string>> = {
  "": { items: ["a", "b"], total: 5, next: "2" },
  "2": { items: ["b", "c"], total: 5, next: "3" },
  "3": { items: ["d"], total: 5, next: null },
};
const ask = (after: string) => Promise.resolve(PAGES[after] as Page<string>);
const itself = (one: string) => one;

describe("a list in pages", () => {
  it("shows one thing once although it moved to the next page meanwhile", async () => {
    expect(await gathered(ask, 2, itself)).toEqual({ items: ["a", "b", "c"], total: 5, next: "3" });
  });

  it("ends where the gateway has no more", async () => {
    expect(await gathered(ask, 9, itself)).toEqual({ items: ["a", "b", "c", "d"], total: 5, next: null });
  });
});

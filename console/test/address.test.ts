import { describe, expect, it } from "vitest";

import { changed, oneOf, pageAt, to } from "../src/app/address";
import { router } from "../src/app/router.svelte";

describe("an address", () => {
  it("survives the way out and back, whatever an id is made of", () => {
    const id = "smoke:kitchen/3 厨房#2?x=%";
    const address = to(["alarms", id]);
    expect(address).not.toContain("#");
    expect(pageAt(address)).toEqual({ name: "alarm", id });
  });

  it("names every page", () => {
    expect(pageAt("/")).toEqual({ name: "overview" });
    expect(pageAt("/cases/BH-20261123-0001")).toEqual({ name: "case", id: "BH-20261123-0001" });
    expect(pageAt("/devices")).toEqual({ name: "devices" });
    expect(pageAt("/system/")).toEqual({ name: "system" });
    expect(pageAt("/nothing/here")).toEqual({ name: "nowhere" });
    expect(pageAt("/alarms/100%")).toEqual({ name: "alarm", id: "100%" });
  });

  it("holds filters, and leaves out empty ones", () => {
    expect(to(["alarms"], { state: "", grid: "R1" })).toBe("/alarms?grid=R1");
    expect(changed({ grid: "R1", state: "all" }, { grid: "", q: "烟" })).toEqual({ state: "all", q: "烟" });
  });

  it("is not trusted", () => {
    expect(oneOf("everything", ["open", "all"])).toBe("open");
    expect(oneOf(undefined, ["open", "all"])).toBe("open");
  });
});

describe("the router", () => {
  it("keeps filters in the address without adding to the way back", () => {
    router.go("/alarms?severity=high");
    const length = history.length;
    router.filter({ grid: "R1" });
    router.filter({ severity: "" });
    expect(location.search).toBe("?grid=R1");
    expect(router.query).toEqual({ grid: "R1" });
    expect(history.length).toBe(length);
  });

  it("takes over clicks on our links and leaves the others alone", () => {
    const stop = router.start();
    document.body.innerHTML = '<a id="ours" href="/devices?q=1">x</a><a id="api" href="/api/v1/health">y</a>';
    document.getElementById("ours")?.click();
    expect(router.page).toEqual({ name: "devices" });
    expect(router.query).toEqual({ q: "1" });
    const click = new MouseEvent("click", { bubbles: true, cancelable: true });
    document
      .getElementById("api")
      ?.addEventListener("click", (event) => setTimeout(() => event.preventDefault()));
    document.addEventListener("click", (event) => event.preventDefault(), { once: true });
    document.getElementById("api")?.dispatchEvent(click);
    expect(router.page).toEqual({ name: "devices" });
    stop();
  });
});

import { fireEvent, render, screen, within } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import ActDialog from "../src/alarms/ActDialog.svelte";
import { acts } from "../src/alarms/acts.svelte";
import AlarmTable from "../src/alarms/AlarmTable.svelte";
import type { Alarm, Overview } from "../src/api/types";
import { acting } from "../src/app/acting.svelte";
import { prefs } from "../src/app/prefs.svelte";
import { site } from "../src/app/site.svelte";
import Answers from "../src/overview/Answers.svelte";
import ClockPanel from "../src/system/ClockPanel.svelte";
import { makeSite } from "../dev/community.ts";
import { alarm } from "./samples";

const TOTALS: Overview["totals"] = {
  alarms: { critical: 0, high: 0, medium: 0, low: 0 },
  over: {},
  unacknowledged: 0,
  cases_open: 0,
  cases_unaccepted: 0,
  cases_overdue: 0,
  devices: 2000,
  silent: 0,
  never_heard: 0,
  edges: 3,
  edges_down: 0,
};

beforeEach(() => {
  prefs.language = "en";
  prefs.actor = "so-1";
  site.load.data = makeSite(1);
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});
afterEach(() => acts.close());

describe("the overview's answers", () => {
  it("say that all is well in words", () => {
    render(Answers, { totals: TOTALS });
    expect(screen.getByText("No critical or high alarms")).toBeTruthy();
    expect(screen.getByText("All devices heard")).toBeTruthy();
  });

  it("tell what burns from what is over and waits for somebody", () => {
    render(Answers, { totals: { ...TOTALS, alarms: { critical: 2 }, over: { critical: 2 } } });
    expect(screen.getByText("Now over; to be reset or acknowledged")).toBeTruthy();
    expect(screen.queryByText("critical alarms")).toBeNull();
  });

  it("say what burns, what nobody took on and what nobody watches", () => {
    render(Answers, { totals: { ...TOTALS, alarms: { critical: 1 }, cases_unaccepted: 2, silent: 7 } });
    expect(screen.getByText("critical alarm")).toBeTruthy();
    expect(screen.getByText("cases not accepted")).toBeTruthy();
    expect(screen.getByText("devices silent")).toBeTruthy();
  });
});

describe("the device clocks", () => {
  const clock = { device: "camera-3", place_name: { zh: "东门", en: "East gate" }, edge: "edge-1" };

  it("name those that are off, and how far", () => {
    const items = [
      { ...clock, offset_seconds: -86.4 },
      { ...clock, device: "door-7", offset_seconds: 6.2 },
    ];
    render(ClockPanel, { clocks: { compared: 212, tolerance_seconds: 5, off: 2, items } });
    expect(screen.getByText("2 of 212 off")).toBeTruthy();
    expect(screen.getByText(/behind/).textContent).toContain("1 min");
    expect(screen.getByText(/ahead/).textContent).toContain("6 s");
  });

  it("say that all are right, or that none is known", async () => {
    const none = { compared: 0, tolerance_seconds: 5, off: 0, items: [] };
    const { rerender } = render(ClockPanel, { clocks: none });
    expect(screen.getByText("No device has told a time yet")).toBeTruthy();
    await rerender({ clocks: { ...none, compared: 3 } });
    expect(screen.getByText(/^3 devices tell a time/)).toBeTruthy();
  });
});

describe("the alarm list", () => {
  it("tells severity by word and sign, not by colour alone", () => {
    const { container } = render(AlarmTable, { alarms: [alarm()], changed: vi.fn() });
    expect(screen.getByText("Critical")).toBeTruthy();
    expect(container.querySelector("svg.critical")).toBeTruthy();
  });

  it("offers acknowledging only while nobody has, and a reset only when one is possible", () => {
    const alarms = [
      alarm({ id: "a" }),
      alarm({ id: "b", acknowledged: true, condition: "latched", resettable: true }),
    ];
    const { container } = render(AlarmTable, { alarms, changed: vi.fn() });
    const [first, second] = [...container.querySelectorAll("tbody tr")] as HTMLElement[];
    if (!first || !second) throw new Error("two rows expected");
    expect(
      within(first)
        .getAllByRole("button")
        .map((one) => one.textContent),
    ).toEqual(["Acknowledge"]);
    expect(
      within(second)
        .getAllByRole("button")
        .map((one) => one.textContent),
    ).toEqual(["Reset"]);
  });
});

describe("acknowledging", () => {
  function answerWith(status: number, body: object) {
    const answer = () =>
      Promise.resolve(
        new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } }),
      );
    const asking = vi.fn<(request: Request) => Promise<Response>>(answer);
    vi.stubGlobal("fetch", asking);
    return asking;
  }

  it("is sent in the name of whoever is acting", async () => {
    const asking = answerWith(200, alarm({ acknowledged: true }));
    const done = vi.fn<(now: Alarm) => void>();
    acts.ask("acknowledge", [alarm()], done);
    if (!acts.asked) throw new Error("the dialog should be asked for");
    render(ActDialog, { asked: acts.asked });
    await fireEvent.input(screen.getByRole("textbox", { hidden: true }), { target: { value: "on my way" } });
    await fireEvent.submit(document.querySelector("form") as HTMLFormElement);
    await vi.waitFor(() => expect(done).toHaveBeenCalledOnce());
    const request = asking.mock.calls[0]?.[0];
    expect(new URL(request?.url ?? "").pathname).toBe("/api/v1/alarms/smoke%3Ad-1%231/acknowledge");
    expect(await request?.json()).toEqual({ actor: "so-1", note: "on my way" });
    expect(acts.asked).toBeNull();
  });

  it("shows why it was refused and stays open", async () => {
    answerWith(409, { title: "Conflict", status: 409, detail: "Already over." });
    acts.ask("acknowledge", [alarm()], vi.fn());
    if (!acts.asked) throw new Error("the dialog should be asked for");
    render(ActDialog, { asked: acts.asked });
    await fireEvent.submit(document.querySelector("form") as HTMLFormElement);
    expect(await screen.findByText("Already over.")).toBeTruthy();
    expect(acts.asked).not.toBeNull();
  });

  it("of several says how many of each severity, and asks for a word about the critical ones", async () => {
    const asking = answerWith(200, alarm({ acknowledged: true }));
    const alarms = [
      alarm({ id: "a" }),
      alarm({ id: "b", severity: "low" }),
      alarm({ id: "c", severity: "low" }),
    ];
    acts.ask("acknowledge", alarms, vi.fn());
    if (!acts.asked) throw new Error("the dialog should be asked for");
    const { container } = render(ActDialog, { asked: acts.asked });
    expect(container.querySelector(".counts")?.textContent).toMatch(/Critical\s*1\s*Low\s*2/);
    const submit = screen.getByRole("button", { name: "Acknowledge 3 alarms", hidden: true });
    expect((submit as HTMLButtonElement).disabled).toBe(true);
    await fireEvent.click(screen.getByRole("checkbox", { name: /critical alarm above \(1\)/, hidden: true }));
    expect((submit as HTMLButtonElement).disabled).toBe(false);
    await fireEvent.submit(document.querySelector("form") as HTMLFormElement);
    await vi.waitFor(() => expect(acts.asked).toBeNull());
    expect(asking).toHaveBeenCalledTimes(3);
  });

  it("of several keeps in question what was refused, and says why", async () => {
    const body = (status: number, what: object) =>
      Promise.resolve(
        new Response(JSON.stringify(what), { status, headers: { "Content-Type": "application/json" } }),
      );
    vi.stubGlobal("fetch", (request: Request) =>
      request.url.includes("/b/")
        ? body(409, { title: "Conflict", status: 409, detail: "Already over." })
        : body(200, alarm({ acknowledged: true })),
    );
    const done = vi.fn();
    acts.ask("acknowledge", [alarm({ id: "a" }), alarm({ id: "b" }), alarm({ id: "c" })], done);
    await acts.send("so-1", "");
    expect(done).toHaveBeenCalledTimes(2);
    expect(acts.asked?.alarms.map((one) => one.id)).toEqual(["b"]);
    expect(acts.failure?.message).toBe("Already over.");
  });

  it("first asks who is acting when nobody is chosen", () => {
    prefs.actor = "";
    acts.ask("acknowledge", [alarm()], vi.fn());
    expect(acts.asked).toBeNull();
    expect(acting.choosing).toBe(true);
    acting.choose("so-2");
    expect(acts.asked).not.toBeNull();
    expect(prefs.actor).toBe("so-2");
  });
});

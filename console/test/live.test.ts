import { afterEach, describe, expect, it, vi } from "vitest";

import { asked, asProblem, Refusal } from "../src/api/client";
import { EventParser, follow, type ServerEvent } from "../src/api/events";
import { asKept, updated } from "../src/devices/latest";
import { waitBefore } from "../src/app/feed.svelte";
import { Load } from "../src/app/load.svelte";

const realFetch = globalThis.fetch;
afterEach(() => void vi.stubGlobal("fetch", realFetch));

describe("the event stream", () => {
  const TEXT =
    'retry: 2000\n\nid: 7\nevent: alarm\ndata: {"a":\ndata: 1}\n\n: comment\n\nevent: beat\ndata: {}\n\n';

  it("is understood wherever the network cuts it", () => {
    for (let cut = 0; cut <= TEXT.length; cut++) {
      const parser = new EventParser();
      const events = [...parser.push(TEXT.slice(0, cut)), ...parser.push(TEXT.slice(cut))];
      expect(events).toEqual([
        { id: "7", name: "alarm", data: '{"a":\n1}' },
        { id: "7", name: "beat", data: "{}" },
      ]);
    }
  });

  it("resumes after the last event and tells what comes", async () => {
    const asking = vi.fn(() => Promise.resolve(new Response(TEXT)));
    vi.stubGlobal("fetch", asking);
    const heard: ServerEvent[] = [];
    let opened = 0;
    await follow({
      url: "/api/v1/live",
      lastEventId: "6",
      signal: new AbortController().signal,
      silenceMs: 5000,
      onOpen: () => opened++,
      onEvent: (event) => heard.push(event),
    });
    expect(opened).toBe(1);
    expect(heard.map((event) => event.name)).toEqual(["alarm", "beat"]);
    expect(asking).toHaveBeenCalledWith(
      "/api/v1/live",
      expect.objectContaining({ headers: expect.objectContaining({ "Last-Event-ID": "6" }) as unknown }),
    );
  });

  it("ends quietly when there is no gateway", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("refused")));
    const onOpen = vi.fn();
    const signal = new AbortController().signal;
    await follow({ url: "/", lastEventId: "", signal, silenceMs: 5000, onOpen, onEvent: vi.fn() });
    expect(onOpen).not.toHaveBeenCalled();
  });

  it("is tried again ever more patiently, never all at once", () => {
    expect([1, 2, 3, 9].map((attempt) => waitBefore(attempt, () => 1))).toEqual([1000, 2000, 4000, 20_000]);
    expect(waitBefore(1, () => 0)).toBe(500);
  });
});

describe("live values", () => {
  it("replace older ones only", () => {
    const value = {
      point: "temperature",
      label: {},
      kind: "number",
      value: 20,
      unit: "Cel",
      device_class: "",
      time: "2026-11-23T12:00:00Z",
      quality: [],
      lane: "alarm",
    } as const;
    const at = Date.parse(value.time);
    const row = { device: "d", point: "temperature", value: 25 };
    expect(updated([{ ...value, quality: [] }], [{ ...row, time: at + 1000 }])[0]?.value).toBe(25);
    expect(updated([{ ...value, quality: [] }], [{ ...row, time: at - 1000 }])[0]?.value).toBe(20);
  });
});

describe("a refusal", () => {
  it("carries the gateway's problem document", async () => {
    const problem = { title: "Conflict", status: 409, detail: "A reset needs a note." };
    const answer = asked(Promise.resolve({ error: problem, response: new Response(null, { status: 409 }) }));
    await expect(answer).rejects.toMatchObject({ status: 409, message: "A reset needs a note." });
  });

  it("is told from no answer at all", async () => {
    const answer = asked(Promise.reject(new TypeError("network")));
    await expect(answer).rejects.toMatchObject({ unreachable: true, problem: null });
    expect(asProblem("<html>Bad gateway</html>", 502)).toBeNull();
  });
});

describe("loading", () => {
  it("keeps what it had when a refresh fails", async () => {
    let works = true;
    const load = new Load(() => (works ? Promise.resolve("data") : Promise.reject(new Refusal(null, 0))));
    await load.refresh();
    works = false;
    await load.refresh();
    expect(load.data).toBe("data");
    expect(load.failure?.unreachable).toBe(true);
  });

  it("drops an answer that a later question has overtaken", async () => {
    const answers: ((text: string) => void)[] = [];
    const load = new Load(() => new Promise<string>((resolve) => answers.push(resolve)));
    const [first, second] = [load.refresh(), load.refresh()];
    answers[1]?.("new");
    await second;
    answers[0]?.("old");
    await first;
    expect(load.data).toBe("new");
  });
});

describe("a value as it is kept", () => {
  it("shows no digits that nobody measured", () => {
    expect(asKept(3018 * 0.001)).toBe("3.018");
    expect(asKept(-0.1 - 0.2)).toBe("-0.3");
    expect(asKept(1764063302123)).toBe("1764063302123");
  });

  it("tells a word from a number and a switch", () => {
    expect([asKept("3.018"), asKept(true)]).toEqual(['"3.018"', "true"]);
  });
});

/** The live feed: one connection for the whole console, kept alive, with polling when streams do not get through. */
import { follow, type ServerEvent } from "../api/events";
import type { Alarm, Case, LiveReading } from "../api/types";

const SILENCE_MS = 40_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 20_000;
/** After so many failed attempts in a row the pages ask by themselves. */
const ATTEMPTS_BEFORE_POLLING = 2;
const POLL_MS = 5_000;

export interface Listener {
  alarm?(alarm: Alarm): void;
  case?(changed: Case): void;
  readings?(rows: LiveReading[]): void;
  /** Too much was missed, or nothing is streaming: fetch anew. */
  stale?(): void;
  /** The site folder was reloaded. */
  site?(): void;
}

class Feed {
  /** connecting: never had a connection yet; lost: had one, and pages are polling meanwhile. */
  status = $state<"connecting" | "live" | "lost">("connecting");
  /** Since when the status holds, epoch ms. */
  since = $state(Date.now());

  #listeners = new Set<Listener>();
  #devices: readonly string[] = [];
  #lastEventId = "";
  #attempts = 0;
  #stop = new AbortController();
  #connection = new AbortController();

  /** Connect and stay connected; returns how to stop. */
  start(): () => void {
    this.#stop = new AbortController();
    const online = () => this.#connection.abort();
    addEventListener("online", online);
    const poll = setInterval(() => {
      if (this.status !== "live" && this.#attempts >= ATTEMPTS_BEFORE_POLLING) this.#tell("stale");
    }, POLL_MS);
    void this.#run(this.#stop.signal);
    return () => {
      this.#stop.abort();
      clearInterval(poll);
      removeEventListener("online", online);
    };
  }

  /** Be told what changes; returns how to stop. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Have these devices' readings streamed too. Connects anew when they change. */
  watch(devices: readonly string[]): void {
    if (devices.join("\n") === this.#devices.join("\n")) return;
    this.#devices = [...devices];
    this.#connection.abort();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      this.#connection = new AbortController();
      const query = new URLSearchParams(this.#devices.map((device) => ["device", device]));
      const wanted = this.#devices;
      await follow({
        url: `/api/v1/live${query.size ? `?${query}` : ""}`,
        lastEventId: this.#lastEventId,
        signal: AbortSignal.any([stopped, this.#connection.signal]),
        silenceMs: SILENCE_MS,
        onOpen: () => this.#opened(),
        onEvent: (event) => this.#hear(event),
      });
      if (stopped.aborted) return;
      if (wanted !== this.#devices) continue; // We hung up ourselves, to ask for other devices.
      this.#attempts++;
      if (this.status === "live") this.#become("lost");
      await pause(waitBefore(this.#attempts), AbortSignal.any([stopped, this.#connection.signal]));
    }
  }

  #opened(): void {
    const missed = this.status === "lost" && !this.#lastEventId;
    this.#attempts = 0;
    if (this.status !== "live") this.#become("live");
    if (missed) this.#tell("stale");
  }

  #become(status: Feed["status"]): void {
    this.status = status;
    this.since = Date.now();
  }

  #hear(event: ServerEvent): void {
    if (event.id) this.#lastEventId = event.id;
    if (event.name === "stale" || event.name === "site") return this.#tell(event.name);
    let body: unknown;
    try {
      body = JSON.parse(event.data);
    } catch {
      return this.#tell("stale"); // Cut by something in between: what it said is unknown, so ask.
    }
    for (const one of this.#listeners) {
      if (event.name === "alarm") one.alarm?.((body as { alarm: Alarm }).alarm);
      else if (event.name === "case") one.case?.((body as { case: Case }).case);
      else if (event.name === "readings") one.readings?.(body as LiveReading[]);
    }
  }

  #tell(name: "stale" | "site"): void {
    for (const one of this.#listeners) one[name]?.();
  }
}

/** Milliseconds before attempt `n`: doubling, with jitter so that a hundred screens do not knock at once. */
export function waitBefore(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(FIRST_WAIT_MS * 2 ** Math.max(0, attempt - 1), LONGEST_WAIT_MS);
  return full * (0.5 + random() / 2);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

export const feed = new Feed();

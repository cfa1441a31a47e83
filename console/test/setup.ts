import { afterEach, vi } from "vitest";

// What jsdom leaves out and a chart or the router calls.
vi.stubGlobal("matchMedia", () => ({
  matches: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}));
vi.stubGlobal("scrollTo", () => undefined);

afterEach(() => localStorage.clear());

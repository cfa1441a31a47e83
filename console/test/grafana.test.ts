import { expect, test } from "vitest";
import { grafanaAddress } from "../src/app/grafana";

test("a device's dashboard in the language shown", () => {
  expect(grafanaAddress("https://g.example", "device", "zh-CN", { device: "a b&c" })).toBe(
    "https://g.example/d/gridwarden-device-zh?var-device=a+b%26c",
  );
  expect(grafanaAddress("https://g.example/grafana", "overview", "en", {})).toBe(
    "https://g.example/grafana/d/gridwarden-overview-en",
  );
});

test("no Grafana, no link", () => {
  expect(grafanaAddress("", "overview", "en", {})).toBe("");
});

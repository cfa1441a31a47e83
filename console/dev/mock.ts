/** A stand-in for the gateway while developing (`npm run mock`). Never part of the build. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Connect, Plugin } from "vite";

import type { Alarm, Overview } from "../src/api/types.ts";
import { makeDevices, makeSite } from "./community.ts";
import { alarmDetail, caseDetail, happenings, tilesOf } from "./happenings.ts";
import { deviceDetail, samples, series, system } from "./measured.ts";

const now = Date.now();
const devices = makeDevices(now);
const world = happenings(makeSite(devices.length), devices, now);
const listeners = new Set<ServerResponse>();

function overview(): Overview {
  const open = world.alarms.filter((one) => one.open);
  const count = (severity: string) => open.filter((one) => one.severity === severity).length;
  return {
    time: new Date().toISOString(),
    totals: {
      alarms: {
        critical: count("critical"),
        high: count("high"),
        medium: count("medium"),
        low: count("low"),
      },
      over: {},
      unacknowledged: open.filter((one) => !one.acknowledged).length,
      cases_open: world.cases.length,
      cases_unaccepted: world.cases.filter((one) => ["filed", "dispatched"].includes(one.state)).length,
      cases_overdue: world.cases.filter((one) => one.overdue).length,
      devices: devices.length,
      silent: devices.filter((one) => one.state === "silent").length,
      never_heard: devices.filter((one) => one.state === "never").length,
      edges: 3,
      edges_down: 1,
    },
    tiles: tilesOf(world),
    changes: world.alarms.flatMap((one) => [
      {
        time: one.raised_at,
        kind: "alarm" as const,
        id: one.id,
        what: "raised",
        severity: one.severity,
        title: one.rule_label,
        place: one.place_name,
        grid: one.grid,
        person: {},
      },
      ...(one.case
        ? [
            {
              time: one.changed_at,
              kind: "case" as const,
              id: one.case,
              what: "dispatched",
              severity: null,
              title: one.rule_label,
              place: one.place_name,
              grid: one.grid,
              person: { zh: "go-07" },
            },
          ]
        : []),
    ]),
    burning: open.filter((one) => one.severity === "critical" || one.severity === "high"),
  };
}

function tell(alarm: Alarm): void {
  for (const one of listeners)
    one.write(`id: ${Date.now()}\nevent: alarm\ndata: ${JSON.stringify({ alarm })}\n\n`);
}

function page<T>(items: T[]) {
  return { items, total: items.length, next: null };
}

function answer(
  path: string,
  query: URLSearchParams,
  body: { actor?: string; action?: string } | null,
): unknown {
  const [room = "", id = "", act = ""] = path.split("/").map(decodeURIComponent);
  const alarm = world.alarms.find((one) => one.id === id);
  const grid = query.get("grid") ?? "";
  const within = (one: { grid: string }) => !grid || one.grid === grid || one.grid.startsWith(`${grid}-`);
  switch (room) {
    case "site":
      return world.site;
    case "overview":
      return overview();
    case "alarms": {
      if (!id) {
        const wanted = query.getAll("severity");
        const state = query.get("state") ?? "open";
        return page(
          world.alarms.filter(
            (one) =>
              within(one) &&
              (state === "all" || one.open === (state === "open")) &&
              (!wanted.length || wanted.includes(one.severity)),
          ),
        );
      }
      if (!alarm) return null;
      if (act) {
        const changed_at = new Date().toISOString();
        if (act === "acknowledge")
          Object.assign(alarm, {
            acknowledged: true,
            acknowledged_by: body?.actor,
            acknowledged_at: changed_at,
            changed_at,
          });
        else
          Object.assign(alarm, {
            condition: "normal",
            open: false,
            resettable: false,
            cleared_at: changed_at,
            changed_at,
          });
        tell(alarm);
      }
      return alarmDetail(alarm);
    }
    case "cases": {
      if (!id)
        return page(
          world.cases.filter(
            (one) =>
              within(one) &&
              (query.get("state") !== "overdue" || one.overdue) &&
              query.get("state") !== "closed",
          ),
        );
      const found = world.cases.find((one) => one.number === id);
      if (found && body?.action === "accept") found.state = "in_progress";
      return found ? caseDetail(world, found) : null;
    }
    case "devices": {
      if (id) {
        const device = devices.find((one) => one.id === id);
        if (act === "samples") return device ? samples(world, device) : null;
        return device ? deviceDetail(world, device) : null;
      }
      const text = (query.get("q") ?? "").toLowerCase();
      const found = devices.filter(
        (one) =>
          within(one) &&
          (!query.get("state") || one.state === query.get("state")) &&
          (!query.get("device_class") || one.device_class === query.get("device_class")) &&
          JSON.stringify(one).toLowerCase().includes(text),
      );
      found.sort(
        (a, b) =>
          Number(a.worst === null) - Number(b.worst === null) ||
          Number(a.state === "ok") - Number(b.state === "ok"),
      );
      return { items: found.slice(0, Number(query.get("limit") ?? 100)), total: found.length, next: null };
    }
    case "series":
      return series(world, query);
    case "system":
      return system.system(world.start);
    case "clocks":
      return system.clocks();
    case "books":
      return system.books();
    case "quarantine":
      return system.quarantine();
    default:
      return null;
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

const handle: Connect.NextHandleFunction = (request, response, next) => {
  const url = new URL(request.url ?? "/", "http://mock");
  if (!url.pathname.startsWith("/api/v1/")) return next();
  if (url.pathname === "/api/v1/live") {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write("retry: 2000\n\n");
    listeners.add(response);
    const beat = setInterval(() => response.write("event: beat\ndata: {}\n\n"), 15_000);
    request.on("close", () => {
      clearInterval(beat);
      listeners.delete(response);
    });
    return;
  }
  void read(request).then((text) => {
    const found = answer(
      url.pathname.slice("/api/v1/".length),
      url.searchParams,
      text ? JSON.parse(text) : null,
    );
    response.writeHead(found ? 200 : 404, {
      "Content-Type": found ? "application/json" : "application/problem+json",
    });
    response.end(
      JSON.stringify(
        found ?? {
          type: "urn:gridwarden:not-found",
          title: "没有找到",
          status: 404,
          detail: url.pathname,
          instance: url.pathname,
          errors: [],
        },
      ),
    );
  });
};

export function mockGateway(): Plugin {
  return {
    name: "mock-gateway",
    configureServer: (server) => void server.middlewares.use(handle),
    configurePreviewServer: (server) => void server.middlewares.use(handle),
  };
}

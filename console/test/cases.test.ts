import { describe, expect, it } from "vitest";

import type { Action, Evidence, Field } from "../src/api/types";
import { standing } from "../src/cases/due";
import { cameraEvents, marksOf } from "../src/cases/evidence";
import { missing, prefilled, requestOf, toggled } from "../src/cases/request";
import { aCase, alarm } from "./samples";

const AT = (clock: string) => Date.parse(`2026-11-23T${clock}Z`);

describe("a case's limit", () => {
  it("is fine, near, then over", () => {
    expect(standing(aCase(), AT("12:10:00")).tone).toBe("fine");
    expect(standing(aCase(), AT("12:50:00")).tone).toBe("near");
    expect(standing(aCase(), AT("13:00:01"))).toEqual({ tone: "over", left: -1000 });
    expect(standing(aCase({ overdue: true }), AT("12:10:00")).tone).toBe("over");
  });

  it("no longer counts when the case is closed or has none", () => {
    expect(standing(aCase({ open: false }), AT("14:00:00")).tone).toBe("none");
    expect(standing(aCase({ due_at: null }), AT("14:00:00")).tone).toBe("none");
  });
});

describe("evidence", () => {
  const seen = (
    point: string,
    value: Evidence["value"],
    event: string,
    time = "2026-11-23T12:00:00Z",
  ): Evidence => ({
    device: "cam-1",
    device_name: { zh: "摄像机", en: "Camera" },
    point,
    device_class: "",
    value,
    unit: "",
    time,
    event,
  });

  it("has one line per camera event, with its best score", () => {
    const rows = cameraEvents([
      seen("event", "person", "e1"),
      seen("score", 0.6, "e1"),
      seen("score", 0.9, "e1"),
      seen("event", "car", "e2", "2026-11-23T12:01:00Z"),
      seen("temperature", 61, ""),
    ]);
    expect(rows.map((row) => [row.label, row.score])).toEqual([
      ["car", null],
      ["person", 0.9],
    ]);
  });

  it("marks a burst of one rule once", () => {
    const burst = Array.from({ length: 50 }, (_, n) => alarm({ id: `smoke:d-${n}#1` }));
    expect(marksOf([...burst, alarm({ rule: "temperature" })], (one) => one.rule)).toHaveLength(2);
  });
});

describe("an action", () => {
  const field = (name: string, kind: Field["kind"], values: string[] = [], required = true): Field => ({
    name,
    label: name,
    kind,
    choices: values.map((value) => ({ value, label: value })),
    required,
  });
  const action: Action = {
    action: "defer",
    label: "",
    to: "deferred",
    roles: [],
    needs: ["reason", "review", "evidence"],
    fields: [
      field("reason", "text"),
      field("review", "date"),
      field("evidence", "text"),
      field("note", "text", [], false),
    ],
    refused: "",
  };

  it("cannot be sent before everything needed is given", () => {
    expect(missing(action, { reason: "x", evidence: " " })).toEqual(["review", "evidence"]);
    expect(missing(action, { reason: "x", evidence: "photo:1", review: "2026-12-01" })).toEqual([]);
  });

  it("names the person who acts where they are one of those asked for", () => {
    const fields = [field("verifier", "people", ["v-1", "so-1"]), field("officer", "people", ["go-1"])];
    expect(prefilled(fields, "so-1")).toEqual({ verifier: "so-1" });
  });

  it("takes several units, each once", () => {
    expect(toggled(toggled("", "fire"), "police")).toBe("fire,police");
    expect(toggled("fire,police", "fire")).toBe("police");
  });

  it("becomes a request with every field in its place", () => {
    const fields = { reason: " 缺配件 ", review: "2026-12-01", evidence: "photo:1\n\nphoto:2\n", stray: "x" };
    expect(requestOf(action, "sc-1", fields)).toEqual({
      action: "defer",
      actor: "sc-1",
      on_behalf_of: "",
      reason: "缺配件",
      note: "",
      evidence: ["photo:1", "photo:2"],
      values: { review: "2026-12-01" },
    });
  });
});

import { describe, expect, it } from "vitest";

import type { Action, Evidence, Field, Person, Wanted } from "../src/api/types";
import { findPeople } from "../src/app/people";
import { standing } from "../src/cases/due";
import { cameraEvents, marksOf, proofsFor } from "../src/cases/evidence";
import { told } from "../src/cases/history";
import { peopleOf } from "../src/cases/people";
import { missing, prefilled, requestOf, toggled } from "../src/cases/request";
import { aCase, alarm, entry, officer, proof } from "./samples";

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

  it("is marked in the colour of the worst that an alarm was", () => {
    const [mark] = marksOf([alarm({ severity: "medium", worst: "critical" })], (one) => one.rule);
    expect(mark?.tone).toBe("critical");
  });
});

describe("what was shown", () => {
  const scene: Wanted = {
    id: "scene",
    label: { zh: "现场照片" },
    kind: "photo",
    required: true,
    done: true,
    itself: false,
  };

  it("stands under what was asked for, the rest at the end", () => {
    const rows = proofsFor({
      wanted: [scene, { ...scene, id: "cause" }],
      proofs: [proof(), proof({ want: "", text: "hot" }), proof({ text: "IMG_2044" })],
    });
    expect(rows.map((row) => [row.wanted?.id, row.proofs.map((one) => one.text)])).toEqual([
      ["scene", ["IMG_2043", "IMG_2044"]],
      ["cause", []],
      [undefined, ["hot"]],
    ]);
  });
});

describe("a case's history", () => {
  it("comes newest first and names who has the case where that changes", () => {
    const lines = told([
      entry({ seq: 2, holder_name: { zh: "李娜" } }),
      entry({ seq: 1 }),
      entry({ seq: 3, holder_name: { zh: "李娜" } }),
      entry({ seq: 4, holder_name: {} }),
    ]);
    expect(lines.map((line) => [line.entry.seq, line.now?.["zh"]])).toEqual([
      [4, undefined],
      [3, undefined],
      [2, "李娜"],
      [1, "智慧中心"],
    ]);
  });
});

describe("people near a case", () => {
  const brigade: Person = { ...officer, id: "d-1", name: "队员", role: "department", unit: "fire-team" };

  it("are whoever has it, its officers, and the members of its unit", () => {
    const case1 = aCase({ holder: "unit:fire-team", officer: { ...officer, id: "go-9" } });
    expect(peopleOf(case1, [officer, brigade])).toEqual(["unit:fire-team", "go-9", "go-1", "d-1"]);
  });

  it("come first when somebody is looked for", () => {
    const desk: Person = { ...officer, id: "so-1", name: "安", role: "safety_officer" };
    const found = findPeople([desk, brigade, officer], "", "zh-CN", ["go-1", "d-1"]);
    expect(found.map((one) => one.id)).toEqual(["go-1", "d-1", "so-1"]);
  });
});

describe("an action", () => {
  const field = (name: string, kind: Field["kind"], values: string[] = [], required = true): Field => ({
    name,
    label: name,
    kind,
    want: "",
    proof: null,
    hint: "",
    choices: values.map((value) => ({ value, label: value })),
    required,
  });
  const proofOf = (want: string, proof: NonNullable<Field["proof"]>, required: boolean): Field => ({
    ...field("evidence", "proof", [], required),
    label: want,
    want,
    proof,
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
      proofOf("scene", "photo", true),
      proofOf("cause", "note", true),
      proofOf("", "photo", false),
      field("note", "text", [], false),
    ],
    refused: "",
    forward: true,
    yours: true,
  };

  it("cannot be sent before everything needed is given", () => {
    expect(missing(action, { reason: "x", "evidence:scene": " " })).toEqual(["review", "scene", "cause"]);
    const given = { reason: "x", review: "2026-12-01", "evidence:scene": "IMG_1", "evidence:cause": "pan" };
    expect(missing(action, given)).toEqual([]);
  });

  it("needs some evidence, no matter which, where none is named", () => {
    const free = {
      ...action,
      needs: ["evidence"],
      fields: [proofOf("", "photo", false), field("note", "text", [], false)],
    };
    expect(missing(free, {})).toEqual(["evidence"]);
    expect(missing(free, { "evidence:": "IMG_1" })).toEqual([]);
    expect(missing(free, { note: "put out" })).toEqual([]);
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
    const fields = {
      reason: " 缺配件 ",
      review: "2026-12-01",
      "evidence:scene": " IMG_1 ",
      "evidence:cause": "油锅",
      "evidence:": " ",
      stray: "x",
    };
    expect(requestOf(action, "sc-1", fields)).toEqual({
      action: "defer",
      actor: "sc-1",
      on_behalf_of: "",
      reason: "缺配件",
      note: "",
      evidence: [
        { want: "scene", kind: "photo", text: "IMG_1" },
        { want: "cause", kind: "note", text: "油锅" },
      ],
      values: { review: "2026-12-01" },
    });
  });
});

/** Things of the API's shapes for tests, with only what a test is about given. */
import type { Alarm, Case, Entry, Person, Proof } from "../src/api/types";

export function alarm(given: Partial<Alarm> = {}): Alarm {
  return {
    id: "smoke:d-1#1",
    rule: "smoke",
    rule_label: { zh: "烟雾报警", en: "Smoke" },
    severity: "critical",
    worst: "critical",
    condition: "active",
    open: true,
    acknowledged: false,
    acknowledged_by: "",
    acknowledged_at: null,
    raised_at: "2026-11-23T12:00:00Z",
    changed_at: "2026-11-23T12:00:00Z",
    cleared_at: null,
    late: false,
    replayed: false,
    no_data: false,
    device: "d-1",
    device_name: { zh: "烟感 1", en: "Detector 1" },
    place: "p-1",
    place_name: { zh: "惠园 3 栋", en: "Huiyuan 3" },
    building: "3",
    grid: "R1-03-01",
    grids: ["R1", "R1-03", "R1-03-01"],
    case: "",
    resettable: false,
    watcher: "",
    url: "",
    ...given,
  };
}

export const officer: Person = {
  id: "go-1",
  name: "李娜",
  role: "grid_officer",
  unit: "",
  phone: "13855100001",
};

export function aCase(given: Partial<Case> = {}): Case {
  return {
    number: "BH-1",
    title: { zh: "烟雾", en: "Smoke" },
    category: "fire",
    category_label: { zh: "消防", en: "Fire" },
    priority: "P1",
    state: "dispatched",
    open: true,
    overdue: false,
    place: "p-1",
    place_name: { zh: "惠园 3 栋", en: "Huiyuan 3" },
    building: "3",
    grid: "R1-03-01",
    grids: ["R1", "R1-03", "R1-03-01"],
    place_officer: officer,
    officer,
    holder: "go-1",
    holder_name: { zh: "李娜", en: "李娜" },
    opened_at: "2026-11-23T12:00:00Z",
    changed_at: "2026-11-23T12:00:00Z",
    due_at: "2026-11-23T13:00:00Z",
    closed_at: null,
    alarms: 1,
    worst: "critical",
    drill: false,
    ...given,
  };
}

export function proof(given: Partial<Proof> = {}): Proof {
  return {
    time: "2026-11-23T12:10:00Z",
    actor: "go-1",
    actor_name: "李娜",
    kind: "photo",
    text: "IMG_2043",
    want: "scene",
    label: { zh: "现场照片", en: "The scene" },
    void: false,
    ...given,
  };
}

export function entry(given: Partial<Entry> = {}): Entry {
  return {
    seq: 1,
    time: "2026-11-23T12:00:00Z",
    actor: "system",
    actor_name: "",
    role: "system",
    on_behalf_of: "",
    from_state: "new",
    to_state: "filed",
    action: "raise",
    label: "Raise",
    said: "",
    reason: "",
    note: "",
    holder_name: { zh: "智慧中心", en: "smart centre" },
    proofs: [],
    ...given,
  };
}

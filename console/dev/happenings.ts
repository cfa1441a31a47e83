/** What happens in the community of development: alarms and cases in every state the screens must show. */
import type {
  Action,
  Field,
  Alarm,
  AlarmDetail,
  Case,
  CaseDetail,
  Device,
  Evidence,
  Site,
  Tile,
} from "../src/api/types.ts";
import { gridPath, grids, people } from "./community.ts";

const iso = (at: number) => new Date(at).toISOString();
const MINUTE = 60_000;

export interface World {
  site: Site;
  devices: Device[];
  alarms: Alarm[];
  cases: Case[];
  start: number;
}

interface Plan {
  rule: string;
  device_class: string;
  nth: number;
  minutes: number;
  condition: Alarm["condition"];
  acknowledged?: string;
  calm?: boolean;
  case?: string;
  flag?: "late" | "replayed" | "no_data";
}

export const PLANS: readonly Plan[] = [
  {
    rule: "smoke",
    device_class: "smoke",
    nth: 3,
    minutes: 3.4,
    condition: "active",
    case: "BH-20261123-0007",
  },
  {
    rule: "smoke",
    device_class: "smoke",
    nth: 20,
    minutes: 21,
    condition: "latched",
    acknowledged: "so-1",
    case: "BH-20261123-0006",
  },
  {
    rule: "temperature",
    device_class: "environment",
    nth: 4,
    minutes: 2.1,
    condition: "active",
    case: "BH-20261123-0007",
  },
  {
    rule: "camera-person",
    device_class: "camera",
    nth: 9,
    minutes: 12,
    condition: "recovering",
    acknowledged: "so-2",
    case: "BH-20261123-0005",
  },
  {
    rule: "door-held",
    device_class: "door",
    nth: 2,
    minutes: 38,
    condition: "active",
    case: "BH-20261123-0004",
  },
  {
    rule: "door-held",
    device_class: "door",
    nth: 12,
    minutes: 64,
    condition: "active",
    acknowledged: "so-1",
    flag: "replayed",
  },
  { rule: "silent", device_class: "smoke", nth: 41, minutes: 95, condition: "active", flag: "no_data" },
  {
    rule: "silent",
    device_class: "gas",
    nth: 7,
    minutes: 190,
    condition: "active",
    acknowledged: "so-1",
    flag: "no_data",
  },
  {
    rule: "silent",
    device_class: "door",
    nth: 30,
    minutes: 260,
    condition: "normal",
    calm: true,
    flag: "late",
  },
];

function makeAlarm(site: Site, devices: Device[], now: number, plan: Plan): Alarm | null {
  const rule = site.rules.find((one) => one.id === plan.rule);
  const device = devices.filter((one) => one.device_class === plan.device_class)[plan.nth];
  if (!rule || !device) return null;
  const raised = now - plan.minutes * MINUTE;
  return {
    id: `${rule.id}:${device.id}#1`,
    rule: rule.id,
    rule_label: rule.label,
    severity: rule.severity,
    worst: rule.severity,
    condition: plan.condition,
    open: !plan.calm,
    acknowledged: Boolean(plan.acknowledged),
    acknowledged_by: plan.acknowledged ?? "",
    acknowledged_at: plan.acknowledged ? iso(raised + 40_000) : null,
    raised_at: iso(raised),
    changed_at: iso(raised),
    cleared_at: plan.calm ? iso(raised + 15 * MINUTE) : null,
    late: plan.flag === "late",
    replayed: plan.flag === "replayed",
    no_data: plan.flag === "no_data",
    device: device.id,
    device_name: device.name,
    place: device.place,
    place_name: device.place_name,
    building: device.building,
    grid: device.grid,
    grids: gridPath(device.grid),
    case: plan.case ?? "",
    resettable: plan.condition === "latched",
    watcher: "",
    url: "",
  };
}

const STATES: Record<string, [state: string, priority: string, limit: number, category: string]> = {
  "BH-20261123-0007": ["dispatched", "P1", 30, "fire"],
  "BH-20261123-0006": ["in_progress", "P1", 24, "fire"],
  "BH-20261123-0005": ["verify", "P2", 240, "access"],
  "BH-20261123-0004": ["filed", "P3", 30, "access"],
};

function makeCase(site: Site, alarms: Alarm[], number: string, now: number): Case | null {
  const own = alarms.filter((one) => one.case === number);
  const [first] = own;
  const [state, priority, limit, category] = STATES[number] ?? [];
  const kind = site.categories.find((one) => one.id === category);
  if (!first || !state || !priority || !limit || !kind) return null;
  const opened = Math.min(...own.map((one) => Date.parse(one.raised_at)));
  const officer = grids.find((one) => one.id === first.grid)?.officer;
  return {
    number,
    title: {
      zh: `${first.rule_label["zh"]}:${first.place_name["zh"]}`,
      en: `${first.rule_label["en"]}: ${first.place_name["en"]}`,
    },
    category: kind.id,
    category_label: kind.label,
    priority,
    state,
    open: true,
    overdue: opened + limit * MINUTE < now,
    place: first.place,
    place_name: first.place_name,
    building: first.building,
    grid: first.grid,
    grids: first.grids,
    place_officer: people.find((one) => one.id === officer) ?? null,
    officer: people.find((one) => one.id === officer) ?? null,
    holder: officer ?? "",
    holder_name: { zh: people.find((one) => one.id === officer)?.name ?? "" },
    opened_at: iso(opened),
    changed_at: iso(opened + MINUTE),
    due_at: iso(opened + limit * MINUTE),
    closed_at: null,
    alarms: own.length,
    worst: first.worst,
    drill: false,
  };
}

export function happenings(site: Site, devices: Device[], now: number): World {
  const alarms = PLANS.map((plan) => makeAlarm(site, devices, now, plan)).filter((one) => one !== null);
  for (const alarm of alarms) {
    const device = devices.find((one) => one.id === alarm.device);
    if (device && alarm.open) device.worst ??= alarm.severity;
    if (device && alarm.no_data && alarm.open) device.state = "silent";
  }
  const cases = Object.keys(STATES)
    .map((number) => makeCase(site, alarms, number, now))
    .filter((one) => one !== null);
  return { site, devices, alarms, cases, start: now };
}

export function tilesOf(world: World): Tile[] {
  const order = ["critical", "high", "medium", "low"] as const;
  const tiles = new Map<string, Tile>(
    grids.map((grid) => [
      grid.id,
      {
        grid: grid.id,
        worst: null,
        alarms: 0,
        unacknowledged: 0,
        cases: 0,
        overdue: 0,
        devices: 0,
        silent: 0,
      },
    ]),
  );
  const each = (grid: string, change: (tile: Tile) => void) => {
    for (const id of gridPath(grid)) {
      const tile = tiles.get(id);
      if (tile) change(tile);
    }
  };
  for (const device of world.devices) {
    each(device.grid, (tile) => {
      tile.devices++;
      if (device.state !== "ok") tile.silent++;
    });
  }
  for (const alarm of world.alarms.filter((one) => one.open)) {
    each(alarm.grid, (tile) => {
      tile.alarms++;
      if (!alarm.acknowledged) tile.unacknowledged++;
      if (!tile.worst || order.indexOf(alarm.severity) < order.indexOf(tile.worst))
        tile.worst = alarm.severity;
    });
  }
  for (const one of world.cases) {
    each(one.grid, (tile) => {
      tile.cases++;
      if (one.overdue) tile.overdue++;
    });
  }
  return [...tiles.values()];
}

function evidenceOf(alarm: Alarm): Evidence[] {
  const base = {
    device: alarm.device,
    device_name: alarm.device_name,
    device_class: alarm.rule === "door-held" ? "door" : "",
    time: alarm.raised_at,
  };
  if (alarm.rule === "camera-person") {
    return [
      { ...base, point: "event", value: "person", unit: "", event: "1763.22-abc" },
      { ...base, point: "score", value: 0.83, unit: "1", event: "1763.22-abc" },
    ];
  }
  if (alarm.rule === "temperature")
    return [{ ...base, point: "temperature", value: 61.4, unit: "Cel", event: "" }];
  return [{ ...base, point: alarm.rule === "smoke" ? "smoke" : "open", value: true, unit: "", event: "" }];
}

export function alarmDetail(alarm: Alarm): AlarmDetail {
  const evidence = evidenceOf(alarm);
  const common = { severity: alarm.severity, actor: "", reason: "" };
  const findings: AlarmDetail["findings"] = [
    { ...common, kind: "raised", time: alarm.raised_at, condition: "active", evidence },
  ];
  if (alarm.acknowledged_at) {
    findings.push({
      ...common,
      kind: "acknowledged",
      time: alarm.acknowledged_at,
      condition: "active",
      evidence: [],
      actor: alarm.acknowledged_by,
    });
  }
  if (alarm.condition === "latched") {
    findings.push({
      ...common,
      kind: "latched",
      time: iso(Date.parse(alarm.raised_at) + 9 * MINUTE),
      condition: "latched",
      evidence: [],
    });
  }
  return { ...alarm, findings, evidence };
}

export function caseDetail(world: World, one: Case): CaseDetail {
  const own = world.alarms.filter((alarm) => alarm.case === one.number);
  const step = (
    seq: number,
    seconds: number,
    action: string,
    from_state: string,
    to_state: string,
    actor: string,
    note = "",
  ) => ({
    seq,
    time: iso(Date.parse(one.opened_at) + seconds * 1000),
    actor,
    actor_name: people.find((person) => person.id === actor)?.name ?? "",
    role: people.find((person) => person.id === actor)?.role ?? "sensor",
    on_behalf_of: "",
    from_state,
    to_state,
    action,
    label: action,
    said: "",
    reason: "",
    note,
    holder_name: one.holder_name,
    proofs: [],
  });
  const open = { refused: "", forward: false, yours: true };
  const KINDS: Record<string, Field["kind"]> = { review: "date", lead: "choice", members: "units" };
  const formed = (action: Omit<Action, "fields" | "label">): Action => ({
    ...action,
    label: action.action,
    fields: [...new Set([...action.needs, "note"])].map((name) => ({
      name,
      label: name,
      kind: name === "evidence" ? "proof" : (KINDS[name] ?? "text"),
      want: name === "evidence" ? "scene" : "",
      proof: name === "evidence" ? "photo" : null,
      hint: "",
      choices: ["lead", "members"].includes(name)
        ? ["消防队", "城管"].map((unit) => ({ value: unit, label: unit }))
        : [],
      required: action.needs.includes(name),
    })),
  });
  return {
    ...one,
    closing_standard: world.site.categories.find((kind) => kind.id === one.category)?.closing_standard ?? {},
    accept_by: iso(Date.parse(one.opened_at) + 5 * MINUTE),
    history: [
      step(1, 0, "raise", "", "filed", "smoke"),
      step(2, 1, "dispatch", "filed", "dispatched", "sc-1"),
      ...(one.state === "dispatched"
        ? []
        : [step(3, 95, "accept", "dispatched", "in_progress", one.officer?.id ?? "", "正在前往现场")]),
    ],
    alarm_list: own,
    evidence: own.flatMap(evidenceOf),
    wanted: [
      {
        id: "scene",
        label: { zh: "现场照片", en: "Photo of the scene" },
        kind: "photo",
        required: true,
        done: false,
        itself: false,
      },
    ],
    proofs: [],
    nearby: [],
    actions: [
      {
        ...open,
        forward: true,
        action: "accept",
        to: "in_progress",
        roles: ["grid_officer", "department"],
        needs: [],
      },
      {
        ...open,
        action: "feedback",
        to: "feedback",
        roles: ["grid_officer"],
        needs: ["note", "evidence"],
        refused: "尚未受理",
      },
      { ...open, action: "return", to: "returned", roles: ["department"], needs: ["reason"] },
      { ...open, action: "defer", to: "deferred", roles: ["smart_centre"], needs: ["reason", "review"] },
      { ...open, action: "join", to: "joint", roles: ["smart_centre"], needs: ["lead", "members"] },
      { ...open, action: "note", to: one.state, roles: [], needs: ["note"] },
    ].map((action) => formed(action as Omit<Action, "fields" | "label">)),
    rework: 0,
  };
}

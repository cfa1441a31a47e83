/** Readings and the platform's own figures for development. */
import type {
  Books,
  Clocks,
  Device,
  DeviceDetail,
  Quarantined,
  Sample,
  Series,
  System,
  Value,
} from "../src/api/types.ts";
import { dice, gridPath, grids, people } from "./community.ts";
import type { World } from "./happenings.ts";

const iso = (at: number) => new Date(at).toISOString();
type Point = DeviceDetail["points"][number];

const point = (
  name: string,
  zh: string,
  en: string,
  kind: Point["kind"],
  unit: string,
  lane: Point["lane"],
  minimum: number | null = null,
  maximum: number | null = null,
): Point => ({
  point: name,
  label: { zh, en },
  device_class: name === "open" ? "door" : name === "available" ? "connectivity" : "",
  kind,
  unit,
  lane,
  minimum,
  maximum,
});

const POINTS: Record<string, Point[]> = {
  smoke: [
    point("smoke", "烟雾", "Smoke", "binary", "", "alarm"),
    point("battery", "电量", "Battery", "number", "%", "telemetry", 0, 100),
    point("tamper", "防拆", "Tamper", "binary", "", "alarm"),
  ],
  environment: [
    point("temperature", "温度", "Temperature", "number", "Cel", "alarm", -40, 125),
    point("humidity", "湿度", "Humidity", "number", "%", "telemetry", 0, 100),
  ],
  door: [
    point("open", "门开", "Open", "binary", "", "alarm"),
    point("voltage", "电压", "Voltage", "number", "V", "telemetry", 0, 5),
  ],
  gas: [
    point("gas", "燃气泄漏", "Gas", "binary", "", "alarm"),
    point("gas_level", "浓度", "Level", "number", "%LEL", "alarm", 0, 100),
  ],
  camera: [
    point("event", "事件", "Event", "event", "", "alarm"),
    point("score", "置信度", "Score", "number", "1", "alarm", 0, 1),
  ],
};

function raisedAt(world: World, device: string): number {
  const found = world.alarms.find((one) => one.device === device);
  return found ? Date.parse(found.raised_at) : Infinity;
}

function measured(name: string, at: number, raised: number, random: () => number): number | boolean | string {
  const since = (at - raised) / 60_000;
  switch (name) {
    case "smoke":
    case "gas":
      return since >= 0 && since < 9;
    case "open":
      return since >= -3 ? true : Math.floor(at / 420_000) % 5 === 0;
    case "tamper":
      return false;
    case "event":
      return "person";
    case "temperature":
      return (
        23.5 +
        Math.sin(at / 7e6) +
        random() * 0.4 +
        (since > -4 ? 40 / (1 + Math.exp(-(since + 1) * 1.3)) : 0)
      );
    case "humidity":
      return 52 + 4 * Math.sin(at / 9e6) + random();
    case "battery":
      return 87;
    default:
      return 3 + random() * 0.05;
  }
}

export function series(world: World, query: URLSearchParams): Series | null {
  const device = world.devices.find((one) => one.id === query.get("device"));
  const found = POINTS[device?.device_class ?? ""]?.find((one) => one.point === query.get("point"));
  if (!device || !found) return null;
  const end = Date.parse(query.get("end") ?? iso(Date.now()));
  const start = Date.parse(query.get("start") ?? iso(end - 3_600_000));
  const raised = raisedAt(world, device.id);
  const random = dice(3);
  const buckets = Number(query.get("buckets") ?? 0);
  const step = found.kind === "event" ? 300_000 : buckets ? (end - start) / buckets : 20_000;
  const rows: [number, number | boolean | string][] = [];
  for (let at = start; at < end; at += step)
    rows.push([Math.round(at), measured(found.point, at, raised, random)]);
  const common = {
    device: device.id,
    point: found.point,
    unit: found.unit,
    kind: found.kind,
    start,
    end,
    cut: false,
  };
  if (!buckets) return { ...common, raw: rows, buckets: null };
  return {
    ...common,
    raw: null,
    buckets: rows.map(([at, value]) => {
      const mean = Number(value);
      const spread = found.kind === "binary" ? 0 : random() * 1.4;
      return [at, mean - spread, mean + spread, mean, 12];
    }),
  };
}

export function samples(world: World, device: Device): Sample[] {
  return deviceDetail(world, device).latest.map((one) => ({
    point: one.point,
    source: device.source,
    native: one.point,
    value: one.value,
    unit: one.unit,
    event: "",
    lane: one.lane,
    edge: device.edge,
    device_time: null,
    clock_offset_seconds: null,
    edge_time: one.time,
    received: one.time,
  }));
}

export function deviceDetail(world: World, device: Device): DeviceDetail {
  const points = POINTS[device.device_class] ?? [];
  const officer = grids.find((one) => one.id === device.grid)?.officer;
  const random = dice(5);
  const at = Date.parse(device.last_heard ?? iso(world.start));
  return {
    ...device,
    type_label: device.name,
    vendor: "Example",
    model: device.type,
    interval: 300,
    grids: gridPath(device.grid),
    officer: people.find((one) => one.id === officer) ?? null,
    points,
    limits: world.site.rules.flatMap((rule) => rule.limits),
    latest: device.last_heard
      ? points.map((one): Value => ({
          point: one.point,
          label: one.label,
          kind: one.kind,
          device_class: one.device_class,
          value: measured(one.point, at, raisedAt(world, device.id), random),
          unit: one.unit,
          time: iso(at),
          quality: one.point === "humidity" ? ["clock_suspect"] : [],
          lane: one.lane,
        }))
      : [],
    alarms: world.alarms.filter((one) => one.device === device.id),
  };
}

export const system = {
  system(start: number): System {
    return {
      time: iso(Date.now()),
      version: "0.1.0",
      started_at: iso(start - 9_000_000),
      components: [
        { name: "normaliser", state: "ok", detail: "" },
        { name: "writer embedded", state: "ok", detail: "" },
        { name: "writer influx", state: "degraded", detail: "503 from http://127.0.0.1:8086, retrying" },
        { name: "rules", state: "ok", detail: "" },
      ],
      queues: (
        [
          ["SAMPLES_ALARM → normaliser", "采样 → 归一化", "alarm", 0, 6],
          ["SAMPLES_TELEMETRY → normaliser", "采样 → 归一化", "telemetry", 14, 3],
          ["READINGS_ALARM → rules", "读数 → 规则与案件", "alarm", 0, 23],
          ["READINGS_TELEMETRY → influx", "读数 → InfluxDB", "telemetry", 2841, 500],
        ] as const
      ).map(([name, label, lane, waiting, in_hand]) => ({ name, label, lane, waiting, in_hand })),
      rates: [
        { stage: "normalised", lane: "alarm", per_second: 12.2 },
        { stage: "normalised", lane: "telemetry", per_second: 211.7 },
        { stage: "stored", lane: "alarm", per_second: 12.2 },
        { stage: "stored", lane: "telemetry", per_second: 209.4 },
      ],
      edges: [1, 2, 3].map((n) => ({
        id: `edge-${n}`,
        name: `edge-${n}`,
        link: n !== 2,
        last_heard: iso(Date.now() - (n === 2 ? 400_000 : 3000)),
        waiting_batches: n === 2 ? 812 : 0,
        oldest_waiting_seconds: n === 2 ? 397 : null,
        clock_offset_seconds: 0.012 * n,
        cpu_temperature: 41 + n,
        disk_free_bytes: 2.1e10,
        devices: 133,
      })),
      quarantined: 7,
      processes: [
        { name: "gateway", pid: 4121, memory_bytes: 1.74e8, cpu_percent: 7.4 },
        { name: "ingest", pid: 4120, memory_bytes: 1.12e8, cpu_percent: 4.0 },
      ],
    };
  },
  clocks(): Clocks {
    return {
      compared: 212,
      tolerance_seconds: 5,
      off: 2,
      items: [
        {
          device: "camera-3",
          place_name: { zh: "东门", en: "East gate" },
          edge: "edge-1",
          offset_seconds: -86.4,
        },
        {
          device: "door-7",
          place_name: { zh: "西门", en: "West gate" },
          edge: "edge-2",
          offset_seconds: 6.2,
        },
      ],
    };
  },
  books(): Books {
    return {
      time: iso(Date.now()),
      balanced: false,
      proved: true,
      accounts: 4,
      taken: 1_482_113,
      waiting: 812,
      in_stream: 2855,
      stored: 1_478_301,
      quarantined: 7,
      dropped: 0,
      duplicates: 136,
      expired: 0,
      thinned: 0,
      lost: 0,
      first_difference: "stored",
      rows: [
        {
          edge: "edge-1",
          lane: "telemetry",
          source: "z2m/climate 12",
          taken: 812,
          waiting: 0,
          in_stream: 4,
          stored: 806,
          quarantined: 0,
          dropped: 0,
          duplicates: 0,
          expired: 0,
          thinned: 0,
          lost: 0,
          difference: 2,
        },
      ],
    };
  },
  quarantine(): Quarantined[] {
    return [
      {
        edge: "edge-1",
        source: "z2m/unknown-0x00158d",
        point: "",
        reason: "unknown_device",
        detail: "登记表中没有此设备",
        stage: "normaliser",
        lane: "telemetry",
        remedy: "在 devices.csv 中登记该设备（边缘节点与来源如所示），然后重试。",
        retryable: true,
        entries: 5,
        count: 5,
        tries: 0,
        first: iso(Date.now() - 9e6),
        last: iso(Date.now() - 9e4),
      },
      {
        edge: "edge-3",
        source: "modbus/line1/7",
        point: "temperature",
        reason: "not_a_number",
        detail: "读数不是数值",
        count: 2,
        first: iso(Date.now() - 8e6),
        last: iso(Date.now() - 7e6),
        stage: "normaliser",
        lane: "telemetry",
        remedy: "查看该值：修正设备类型（kind、states、true_when）后重试，或将其丢弃。",
        retryable: true,
        entries: 2,
        tries: 1,
      },
    ];
  },
};

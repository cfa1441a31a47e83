/** A community for development: grids in the numbers of the reference site, devices, people. Deterministic. */
import type { Device, Grid, GridKind, Person, Site, Text } from "../src/api/types.ts";

/** mulberry32: the same community at every start. */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const both = (zh: string, en: string): Text => ({ zh, en });
const two = (n: number) => String(n).padStart(2, "0");

const SHAPE: readonly [GridKind, string, number, number, number, string, string][] = [
  ["residential", "R", 8, 169, 455, "居住", "Residential"],
  ["street", "S", 3, 67, 267, "街面", "Street"],
  ["commercial", "C", 1, 7, 23, "商务", "Commercial"],
];
const NAMES = ["临滨苑", "观湖苑", "春融苑", "振徽苑", "惠园", "福徽苑", "滨湖雅苑", "世纪阳光"];
const LATIN = ["Linbin", "Guanhu", "Chunrong", "Zhenhui", "Huiyuan", "Fuhui", "Yayuan", "Century Sun"];

export const people: Person[] = [
  { id: "so-1", name: "周敏", role: "safety_officer", unit: "值班室", phone: "13955100001" },
  { id: "so-2", name: "吴强", role: "safety_officer", unit: "值班室", phone: "13955100002" },
  { id: "sc-1", name: "陈静", role: "smart_centre", unit: "智慧中心", phone: "13955100003" },
  { id: "dp-1", name: "刘波", role: "department", unit: "城市管理部", phone: "13955100004" },
  { id: "vf-1", name: "赵琳", role: "verifier", unit: "综合协调部", phone: "13955100005" },
  ...Array.from({ length: 60 }, (_, n): Person => {
    const family = "张王李刘陈杨黄赵周吴"[n % 10] ?? "张";
    const given = ["伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "洋"][Math.floor(n / 6)] ?? "伟";
    return {
      id: `go-${two(n + 1)}`,
      name: family + given,
      role: "grid_officer",
      unit: "",
      phone: `1385510${1000 + n}`,
    };
  }),
];

function makeGrids(): Grid[] {
  const grids: Grid[] = [];
  let officer = 0;
  for (const [kind, letter, tops, middles, leaves, zh, en] of SHAPE) {
    for (let n = 0; n < tops; n++) {
      const name =
        kind === "residential"
          ? both(NAMES[n] ?? zh, LATIN[n] ?? en)
          : both(`${zh}${n + 1}区`, `${en} ${n + 1}`);
      grids.push({
        id: `${letter}${n + 1}`,
        name,
        kind,
        level: 1,
        parent: null,
        officer: people[5 + (officer++ % 60)]?.id ?? null,
      });
    }
    const below: string[] = [];
    for (let n = 0; n < middles; n++) {
      const parent = `${letter}${(n % tops) + 1}`;
      const id = `${parent}-${two(Math.floor(n / tops) + 1)}`;
      below.push(id);
      grids.push({
        id,
        name: both(`${Number(id.slice(-2))} 号网格`, `Grid ${id}`),
        kind,
        level: 2,
        parent,
        officer: people[5 + (officer++ % 60)]?.id ?? null,
      });
    }
    for (let n = 0; n < leaves; n++) {
      const parent = below[n % middles] ?? "";
      const id = `${parent}-${two(Math.floor(n / middles) + 1)}`;
      grids.push({
        id,
        name: both(`${Number(id.slice(-2))} 片`, `Part ${id.slice(-2)}`),
        kind,
        level: 3,
        parent,
        officer: people[5 + (officer++ % 60)]?.id ?? null,
      });
    }
  }
  return grids;
}

export const grids = makeGrids();
export const gridPath = (id: string): string[] =>
  id.split("-").map((_, n, all) => all.slice(0, n + 1).join("-"));

const CLASSES = [
  ["smoke", "z2m-smoke", "烟感", "smoke"],
  ["environment", "z2m-climate", "温湿度", "climate"],
  ["door", "z2m-door", "门磁", "door"],
  ["gas", "z2m-gas", "燃气探测器", "gas"],
  ["camera", "frigate-camera", "摄像机", "camera"],
] as const;

export function makeDevices(now: number): Device[] {
  const random = dice(7);
  const leaves = grids.filter((grid) => grid.level === 3);
  return Array.from({ length: 400 }, (_, n): Device => {
    const [device_class, type, zh, en] = CLASSES[Math.floor(n / 3) % CLASSES.length] ?? CLASSES[0];
    const grid = leaves[(n * 13) % leaves.length] ?? { id: "R1-01-01" };
    const top = grids.find((one) => one.id === gridPath(grid.id)[0]);
    const [building, floor] = [1 + Math.floor(random() * 20), 1 + Math.floor(random() * 18)];
    const silent = n % 47 === 11;
    const never = n % 131 === 90;
    const place_name = both(
      `${top?.name["zh"]} ${building} 栋 ${floor} 层 ${["厨房", "走廊", "电梯厅", "配电间"][n % 4]}`,
      `${top?.name["en"]} bldg ${building}, floor ${floor}, ${["kitchen", "corridor", "lift hall", "switch room"][n % 4]}`,
    );
    return {
      id: `d-${String(n + 1).padStart(6, "0")}`,
      name: both(`${zh} ${building}-${floor}`, `${en} ${building}-${floor}`),
      type,
      device_class,
      place: `p-${n}`,
      place_name,
      building: `${building}`,
      floor: `${floor}`,
      grid: grid.id,
      edge: `edge-${1 + (n % 3)}`,
      source: `z2m/${en} ${n}`,
      state: never ? "never" : silent ? "silent" : "ok",
      last_heard: never
        ? null
        : new Date(now - (silent ? 5_400_000 + n * 9000 : random() * 60_000)).toISOString(),
      worst: null,
    };
  });
}

export function makeSite(devices: number): Site {
  return {
    name: both("滨湖世纪社区", "Binhu Century"),
    timezone: "Asia/Shanghai",
    languages: ["zh", "en"],
    revision: "1",
    version: "0.1.0",
    grafana: "",
    grids,
    people,
    units: [...new Set(people.map((one) => one.unit).filter(Boolean))].map((id) => ({
      id,
      name: both(id, id),
      phone: "",
    })),
    categories: [
      {
        id: "fire",
        label: both("消防", "Fire"),
        closing_standard: both(
          "现场确认无火情，探测器恢复正常，附现场照片。",
          "No fire found on site, detector back to normal, photo attached.",
        ),
      },
      {
        id: "access",
        label: both("门禁", "Access"),
        closing_standard: both(
          "门已关闭并上锁，现场无异常。",
          "Door shut and locked, nothing unusual on site.",
        ),
      },
      {
        id: "equipment",
        label: both("设备故障", "Equipment"),
        closing_standard: both("设备恢复上报满 24 小时。", "Device heard again for 24 hours."),
      },
    ],
    rules: [
      ["smoke", "烟雾报警", "Smoke", "critical", "烟感探测到烟雾时立即告警，由值班员现场检查后复位。"],
      [
        "temperature",
        "温度预警",
        "Temperature",
        "high",
        "温度高于 60 °C 持续 30 秒时告警，低于 55 °C 时解除。",
      ],
      ["door-held", "夜间门未关", "Door held open", "medium", "22:00 至 06:00 门打开超过 3 分钟时告警。"],
      [
        "camera-person",
        "封闭区域有人",
        "Person in closed zone",
        "high",
        "封闭时段内摄像机 30 秒内两次识别到人员时告警。",
      ],
      ["silent", "设备失联", "Device silent", "low", "设备超过规定时间未上报时告警。"],
    ].map(([id = "", zh = "", en = "", severity = "low", sentence = ""]) => ({
      id,
      version: 1,
      label: both(zh, en),
      severity: severity as Site["rules"][number]["severity"],
      sentence,
      limits:
        id === "temperature"
          ? [{ rule: id, point: id, op: ">" as const, value: 60, severity: "high" as const }]
          : [],
    })),
    devices,
  };
}

/** What is read of a Grafana dashboard's JSON, and of InfluxDB's answers to its queries. */

export type Scalar = string | number | boolean | null;

/** One series of an answer; the first column is the time in epoch ms. */
export interface Series {
  name: string;
  tags?: Readonly<Record<string, string>>;
  columns: readonly string[];
  values: readonly (readonly Scalar[])[];
}

export interface Target {
  refId: string;
  /** What the series are called: `$tag_x` is a tag's value, `$col` the column, `$m` the measurement. */
  alias?: string;
}

export interface Step {
  /** From this value on; null is from the lowest. */
  value: number | null;
  color: string;
}

export interface Mapping {
  options: Readonly<Record<string, { text?: string; color?: string }>>;
}

export interface Override {
  matcher: { options: string };
  properties: readonly { id: string; value?: unknown }[];
}

export interface Transformation {
  id: string;
  options: {
    indexByName?: Readonly<Record<string, number>>;
    renameByName?: Readonly<Record<string, string>>;
    fields?: Readonly<Record<string, { operation: string; aggregations: readonly string[] }>>;
  };
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: readonly Target[];
  transformations?: readonly Transformation[];
  fieldConfig: {
    defaults: {
      unit?: string;
      decimals?: number;
      min?: number;
      max?: number;
      noValue?: string;
      thresholds?: { steps: readonly Step[] };
      mappings?: readonly Mapping[];
      custom?: {
        drawStyle?: string;
        spanNulls?: boolean | number;
        thresholdsStyle?: { mode: string };
      };
    };
    overrides: readonly Override[];
  };
  options?: { sortBy?: readonly { displayName: string; desc?: boolean }[] };
}

export interface Board {
  title: string;
  panels: readonly Panel[];
}

/** Answers by a query's reference. */
export type Answers = Readonly<Record<string, readonly Series[]>>;

/** A dashboard with what its queries gave, as `scripts/dashboard_pictures.py` hands it over. */
export interface Answered {
  board: Board;
  language: string;
  timezone: string;
  /** Epoch ms. */
  start: number;
  end: number;
  /** Variables that somebody has chosen: what they are called, and the value. */
  chosen: readonly (readonly [string, string])[];
  /** By a panel's number. */
  answers: Readonly<Record<string, Answers>>;
  /** Annotations that are on: colour and moments. */
  marks: readonly { color: string; at: readonly number[] }[];
}

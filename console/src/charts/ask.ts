/** The one place that asks for series. */
import { api, asked } from "../api/client";
import type { Series } from "../api/types";

export interface Question {
  device: string;
  point: string;
  /** Epoch ms. */
  start: number;
  end: number;
  /** At most this many rows of minimum, maximum and mean; without it every reading. */
  buckets?: number;
}

/** Readings of one point; in buckets when there are more than the gateway gives one by one. */
export async function askSeries(question: Question): Promise<Series> {
  const { device, point, start, end, buckets } = question;
  const span = { device, point, start: new Date(start).toISOString(), end: new Date(end).toISOString() };
  const query = buckets ? { ...span, buckets } : span;
  // openapi-fetch widens tuples to arrays; `Series` is the generated type as the document states it.
  const series = (await asked(api.GET("/api/v1/series", { params: { query } }))) as Series;
  return series.cut && !buckets ? askSeries({ ...question, buckets: 600 }) : series;
}

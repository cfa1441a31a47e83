/** Calls to the gateway. Failures arrive as one kind of error, `Refusal`, that says what to show. */
import createClient from "openapi-fetch";

import { prefs } from "../app/prefs.svelte";
import type { paths } from "./schema";
import type { Problem } from "./types";

const REQUEST_LIMIT_MS = 15_000;

/** A request that did not work: the gateway's own problem document, or none when it was not reached. */
export class Refusal extends Error {
  constructor(
    /** RFC 9457 document; null when no gateway answered. */
    readonly problem: Problem | null,
    /** HTTP status; 0 when no gateway answered. */
    readonly status: number,
  ) {
    super(problem?.detail || problem?.title || `HTTP ${status}`);
    this.name = "Refusal";
  }

  get unreachable(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  fetch: async (request: Request) => {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(REQUEST_LIMIT_MS)]);
    return globalThis.fetch(new Request(request, { signal }));
  },
});

api.use({
  onRequest({ request }) {
    request.headers.set("Accept-Language", prefs.language);
    return request;
  },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The answer's body; throws `Refusal` when there is none. */
export async function asked<T>(answer: Promise<Answer<T>>): Promise<T> {
  let settled: Answer<T>;
  try {
    settled = await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(null, 0);
  }
  if (settled.data !== undefined) return settled.data;
  throw new Refusal(asProblem(settled.error, settled.response.status), settled.response.status);
}

/** `body` as a problem document; null when it is something else (a proxy's error page, say). */
export function asProblem(body: unknown, status: number): Problem | null {
  if (typeof body !== "object" || body === null || !("title" in body)) return null;
  const found = body as Partial<Problem>;
  return {
    type: found.type ?? "about:blank",
    title: String(found.title),
    status: found.status ?? status,
    detail: found.detail ?? "",
    instance: found.instance ?? "",
    errors: found.errors ?? [],
  };
}

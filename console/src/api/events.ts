/**
 * Server-sent events over fetch: unlike EventSource it resumes over a connection of its own making
 * (`Last-Event-ID`), notices a link that is silently dead, and says why it failed.
 */

export interface ServerEvent {
  id: string;
  name: string;
  data: string;
}

/** Splits a `text/event-stream` into events; bytes may be cut anywhere. */
export class EventParser {
  #rest = "";
  #id = "";

  /** Events completed by `chunk`. */
  push(chunk: string): ServerEvent[] {
    const blocks = (this.#rest + chunk).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.map((block) => this.#read(block)).filter((event) => event !== null);
  }

  #read(block: string): ServerEvent | null {
    let name = "message";
    const data: string[] = [];
    for (const line of block.split("\n")) {
      if (line.startsWith(":")) continue;
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") name = value;
      else if (field === "data") data.push(value);
      else if (field === "id") this.#id = value;
    }
    return data.length ? { id: this.#id, name, data: data.join("\n") } : null;
  }
}

export interface StreamOptions {
  url: string;
  lastEventId: string;
  signal: AbortSignal;
  /** A stream silent for longer is taken for dead; the gateway beats every 15 s. */
  silenceMs: number;
  onOpen(): void;
  onEvent(event: ServerEvent): void;
}

/** Reads the stream until it ends, fails, falls silent or is aborted. Returns; never throws. */
export async function follow(options: StreamOptions): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), options.silenceMs);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), options.silenceMs);
  };
  try {
    const response = await fetch(options.url, {
      headers: {
        Accept: "text/event-stream",
        ...(options.lastEventId ? { "Last-Event-ID": options.lastEventId } : {}),
      },
      signal: AbortSignal.any([options.signal, silence.signal]),
      cache: "no-store",
    });
    if (!response.ok || !response.body) return;
    options.onOpen();
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      for (const event of parser.push(value)) options.onEvent(event);
    }
  } catch {
    // Every way a stream can fail has the same next move: the caller connects anew.
  } finally {
    clearTimeout(timer);
  }
}

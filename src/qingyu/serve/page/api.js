// Talks to the server: OpenAI's chat endpoint as a stream, and what the panels show.
//
//   for await (const event of streamChat(body, signal)) ...   { text }, { finish }, { usage }
//   await getJson("/v1/models")
//
// Everything that can go wrong is a Failure with a kind the page can act on. The page's token
// is made anew at every start of the server; when one is refused the page is asked for again.

import { say } from "./words.js";

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

let token = meta("qingyu-token");
export const settings = JSON.parse(meta("qingyu-settings") || "{}");

/**
 * kind: "gone" nobody answers; "busy" 429 or 503, try after `wait` seconds; "cut" the connection
 * broke; "refused" the server said why in `message`.
 */
export class Failure extends Error {
  constructor(kind, message, { status = 0, wait = 0 } = {}) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.wait = wait;
  }
}

async function freshToken() {
  const answer = await fetch("/", { cache: "no-store" });
  if (!answer.ok) return false;
  const text = await answer.text();
  const found = new DOMParser().parseFromString(text, "text/html").querySelector('meta[name="qingyu-token"]');
  if (!found || found.content === token) return false;
  token = found.content;
  return true;
}

async function ask(path, options = {}, again = true) {
  let answer;
  try {
    // Not as Authorization: a proxy with a password of its own gets that from the browser.
    const headers = { "Qingyu-Page-Token": token, ...options.headers };
    answer = await fetch(path, { ...options, headers, cache: "no-store" });
    if (answer.status === 401 && again && (await freshToken())) return await ask(path, options, false);
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Failure) throw error;
    throw new Failure("gone", say("gone"));
  }
  if (answer.ok) return answer;
  throw await failureOf(answer);
}

async function failureOf(answer) {
  let message = say("strange", { status: answer.status });
  try {
    message = (await answer.json()).error.message || message;
  } catch {
    // Not an error object, perhaps of a proxy in between: the status has to do.
  }
  const busy = answer.status === 429 || answer.status === 503;
  const wait = Math.min(Math.max(Number(answer.headers.get("Retry-After")) || 1, 1), 120);
  return new Failure(busy ? "busy" : "refused", message, { status: answer.status, wait });
}

export async function getJson(path, signal) {
  return (await ask(path, { signal })).json();
}

export async function getText(path, signal) {
  return (await ask(path, { signal })).text();
}

/** Data of the events of a stream, as text. https://html.spec.whatwg.org/#event-stream-interpretation */
export async function* eventsOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line === "") {
          if (data.length) yield data.join("\n");
          data = [];
        } else if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        }
      }
    }
  } finally {
    // Leaving early hangs up, and the server stops at the next token.
    reader.cancel().catch(() => {});
  }
}

export async function* streamChat(body, signal) {
  const options = { stream: true, stream_options: { include_usage: true } };
  const answer = await ask("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, ...options }),
    signal,
  });
  let whole = false;
  try {
    for await (const data of eventsOf(answer.body)) {
      if (data === "[DONE]") {
        whole = true;
        continue;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Failure("refused", chunk.error.message);
      const choice = chunk.choices?.[0];
      if (choice?.delta?.content) yield { text: choice.delta.content };
      if (choice?.finish_reason) yield { finish: choice.finish_reason };
      if (chunk.usage) yield { usage: chunk.usage };
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Failure) throw error;
    throw new Failure("cut", say("broken"));
  }
  if (!whole) throw new Failure("cut", say("broken"));
}

/** Values of a Prometheus text by name; of a name with labels, the sum. */
export function readMetrics(text) {
  const values = {};
  for (const line of text.split("\n")) {
    const found = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line);
    if (found) values[found[1]] = (values[found[1]] ?? 0) + Number(found[2]);
  }
  return values;
}

export async function postJson(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** The events of a stream that is no answer of a model, each as JSON. */
export async function* streamJson(path, signal) {
  const answer = await ask(path, { signal });
  for await (const data of eventsOf(answer.body)) yield JSON.parse(data);
}

// Asks the server and keeps the answers as they come; knows nothing of the screen.
//
//   const chat = new Chat(store, { changed, wrote, finished, unsaved });
//   chat.send(conversation, "Hello");  chat.stop(conversation);  chat.retry(conversation, answer)
//
// An answer goes on while another conversation is looked at: one run for each conversation.

import { Failure, streamChat } from "./api.js";
import { append, discard, toSend } from "./conversation.js";

const MOST_TRIES = 20;
const SAVE_EVERY = 3000; // milliseconds; what a closed tab can lose of an answer

export class Chat {
  /** changed(chat), wrote(chat, message), finished(chat, message), unsaved(how) tell the screen. */
  constructor(store, tell) {
    this.store = store;
    this.tell = tell;
    this.runs = new Map();
  }

  running(chat) {
    return this.runs.has(chat.id);
  }

  send(chat, text) {
    if (this.running(chat)) return;
    const question = append(chat, chat.leaf, { role: "user", content: text });
    this.answer(chat, question);
  }

  /** The edited question becomes another version of `message`; the first one stays. */
  resend(chat, message, text) {
    if (this.running(chat)) return;
    const question = append(chat, message.parent, { role: "user", content: text });
    this.answer(chat, question);
  }

  retry(chat, message) {
    if (this.running(chat)) return;
    const question = chat.messages[message.parent];
    if (!message.content) discard(chat, message); // it came to nothing and is no version
    this.answer(chat, question);
  }

  stop(chat) {
    this.runs.get(chat.id)?.control.abort();
  }

  /** Stops and forgets: the conversation is being deleted. */
  drop(chat) {
    const run = this.runs.get(chat.id);
    if (!run) return;
    run.dropped = true;
    this.runs.delete(chat.id);
    run.control.abort();
  }

  tryNow(chat) {
    this.runs.get(chat.id)?.wake?.();
  }

  save(chat) {
    const how = this.store.save(chat);
    this.tell.unsaved(how === "saved" ? null : how);
  }

  saveRunning() {
    for (const { chat } of this.runs.values()) this.store.save(chat);
  }

  async answer(chat, question) {
    const schema = Boolean(chat.settings.schema.trim());
    const message = append(chat, question.id, { role: "assistant", content: "", status: "waiting", schema, stats: null });
    const run = { chat, message, control: new AbortController(), wake: null, dropped: false };
    this.runs.set(chat.id, run);
    this.save(chat);
    this.tell.changed(chat);
    try {
      await this.persist(run, bodyOf(chat, question.id));
    } catch (error) {
      if (error.name === "AbortError") {
        message.status = "stopped";
      } else {
        message.status = "error";
        message.error = { kind: error.kind ?? "bug", text: error.message };
        if (!(error instanceof Failure)) console.error(error);
      }
    } finally {
      delete message.wait;
      if (!run.dropped) {
        this.runs.delete(chat.id);
        chat.updated = Date.now();
        this.save(chat);
        this.tell.finished(chat, message);
      }
    }
  }

  /** Streams; while the queue is full, waits as long as the server says and asks again. */
  async persist(run, body) {
    const { message, control } = run;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.stream(run, body);
      } catch (error) {
        if (error.kind !== "busy" || message.content || tries === MOST_TRIES) throw error;
        await this.pause(run, error.wait);
        control.signal.throwIfAborted();
        message.status = "waiting";
        this.tell.wrote(run.chat, message);
      }
    }
  }

  pause(run, seconds) {
    const { chat, message, control } = run;
    message.status = "queued";
    message.wait = seconds;
    this.tell.wrote(chat, message);
    return new Promise((resolve) => {
      const tick = setInterval(() => {
        message.wait -= 1;
        if (message.wait <= 0) run.wake();
        else this.tell.wrote(chat, message);
      }, 1000);
      run.wake = () => {
        clearInterval(tick);
        run.wake = null;
        resolve();
      };
      control.signal.addEventListener("abort", () => run.wake?.(), { once: true });
    });
  }

  async stream(run, body) {
    const { chat, message, control } = run;
    const limit = body.max_completion_tokens;
    const asked = performance.now();
    let first = 0;
    let last = 0;
    let saved = asked;
    let finish = "stop";
    for await (const event of streamChat(body, control.signal)) {
      if (event.text) {
        last = performance.now();
        if (!first) {
          first = last;
          message.status = "writing";
          message.stats = { first: (first - asked) / 1000 };
        }
        message.content += event.text;
        if (last - saved > SAVE_EVERY) {
          saved = last;
          this.store.save(chat);
        }
        if (!run.dropped) this.tell.wrote(chat, message);
      } else if (event.finish) {
        finish = event.finish;
      } else if (event.usage) {
        const { prompt_tokens: prompt, completion_tokens: tokens, prompt_tokens_details: details } = event.usage;
        // A short answer can come in one piece; all the time it took has to do then.
        const speed = last > first ? (tokens - 1) / (last - first) : tokens / (last - asked);
        message.stats = { ...message.stats, tokens, prompt, cached: details?.cached_tokens ?? 0, speed: speed * 1000 };
      }
    }
    message.status = finish === "length" ? "length" : "done";
    // What ends before its own limit, or without one, ends where the context does.
    message.full = finish === "length" && !(message.stats?.tokens >= limit);
  }
}

/** The request for the answer after message `id`. Settings that ask for nothing are left out. */
export function bodyOf(chat, id) {
  const { temperature, top_p, top_k, min_p, repetition_penalty, max_tokens, seed, stop, schema, think } = chat.settings;
  const body = { model: "default", messages: toSend(chat, id), temperature, top_p, top_k, min_p, repetition_penalty };
  if (max_tokens !== null) body.max_completion_tokens = max_tokens;
  if (seed !== null) body.seed = seed;
  const stops = stop.split("\n").filter(Boolean);
  if (stops.length) body.stop = stops;
  if (schema.trim())
    body.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: JSON.parse(schema) } };
  if (think) body.chat_template_kwargs = { enable_thinking: think === "yes" };
  return body;
}

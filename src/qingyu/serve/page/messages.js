// Shows a conversation and its answers while they come.
//
//   const messages = new Messages(container, scroller, actions);
//   messages.show(chat);                  everything anew
//   messages.refresh(message);            what changed in one answer, at the next frame
//
// `actions` is what a person can ask for here; this module decides nothing.

import { copyText, iconButton, make, textButton } from "./dom.js";
import { icon } from "./icons.js";
import { tidyJson } from "./json.js";
import { Markdown } from "./markdown.js";
import { path, versions } from "./conversation.js";
import { number, pick, say, SUGGESTIONS } from "./words.js";

const NEAR_END = 60; // pixels: closer than this counts as reading the end

export class Messages {
  constructor(container, scroller, actions) {
    this.container = container;
    this.scroller = scroller;
    this.actions = actions;
    this.parts = new Map();
    this.chat = null;
    this.waiting = new Set();
    this.following = true;
    this.top = 0;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.follow()).observe(container);
  }

  /** Reading further up ends the following; text that grows below does not. */
  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const near = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (near) this.following = true;
    else if (scrollTop < this.top) this.following = false;
    this.top = scrollTop;
    this.actions.atEnd(near);
  }

  follow() {
    if (this.following) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.scrolled();
  }

  toEnd() {
    this.following = true;
    this.follow();
  }

  show(chat) {
    if (this.chat !== chat) this.following = true;
    this.chat = chat;
    this.parts.clear();
    this.waiting.clear();
    const shown = path(chat);
    this.container.classList.toggle("empty", shown.length === 0);
    if (shown.length === 0) {
      this.container.replaceChildren(this.welcome());
    } else {
      this.container.replaceChildren(
        ...shown.map((message, place) => (message.role === "user" ? this.question(message) : this.answer(message, place === shown.length - 1))),
      );
    }
    this.follow();
  }

  welcome() {
    const cards = SUGGESTIONS.map((one) =>
      make(
        "button",
        { type: "button", class: "suggestion", on: { click: () => this.actions.suggest(one) } },
        make("span", { class: "suggestion-title" }, pick(one.title)),
        make("span", { class: "suggestion-text" }, pick(one.prompt)),
      ),
    );
    return make(
      "section",
      { class: "welcome" },
      make("img", { src: "/page/icon.svg", alt: "", width: 52, height: 52 }),
      make("h2", {}, say("hello")),
      make("p", {}, this.actions.greeting()),
      make("div", { class: "suggestions" }, ...cards),
    );
  }

  question(message) {
    const bubble = make("div", { class: "bubble" }, message.content);
    const copy = iconButton("copy", say("copy"), () => copyText(message.content, copy));
    const edit = iconButton("edit", say("edit"), () => this.edit(message));
    const row = make("div", { class: "actions" }, ...this.versions(message), copy, edit);
    const node = make("article", { class: "message question", "aria-label": say("you") }, bubble, row);
    this.parts.set(message.id, { node, edit });
    return node;
  }

  /** Turns a question into a box to edit it in. */
  edit(message) {
    const part = this.parts.get(message.id);
    if (!part || this.actions.running()) return;
    const box = make("textarea", { class: "edit-box", "aria-label": say("editing"), value: message.content });
    const leave = () => {
      form.replaceWith(part.node);
      part.edit.focus();
    };
    const submit = (event) => {
      event?.preventDefault();
      if (box.value.trim()) this.actions.resend(message, box.value.trim());
    };
    const keys = (event) => {
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Escape") {
        event.stopPropagation();
        leave();
      } else if (event.key === "Enter" && !event.shiftKey) {
        submit(event);
      }
    };
    const fit = () => {
      box.style.height = "auto";
      box.style.height = `${box.scrollHeight + 2}px`;
    };
    box.addEventListener("keydown", keys);
    box.addEventListener("input", fit);
    const buttons = make(
      "div",
      { class: "edit-buttons" },
      textButton(say("cancel"), leave),
      make("button", { type: "submit", class: "button primary" }, say("sendAgain")),
    );
    const form = make("form", { class: "message question editing", on: { submit } }, box, buttons);
    part.node.replaceWith(form);
    fit();
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }

  editLast() {
    const last = path(this.chat).findLast((message) => message.role === "user");
    if (last) this.edit(last);
  }

  versions(message) {
    const all = versions(this.chat, message);
    if (all.length < 2) return [];
    const index = all.indexOf(message);
    const go = (step) => () => this.actions.choose(all[index + step].id);
    const label = make(
      "span",
      { class: "version" },
      make("span", { "aria-hidden": "true" }, `${index + 1}/${all.length}`),
      make("span", { class: "unseen" }, say("version", { index: index + 1, count: all.length })),
    );
    return [
      iconButton("left", say("previous"), go(-1), { disabled: index === 0 }),
      label,
      iconButton("right", say("next"), go(1), { disabled: index === all.length - 1 }),
    ];
  }

  answer(message, last) {
    const body = make("div", { class: "body" });
    const notice = make("div", { class: "notice" });
    const foot = make("div", { class: "answer-foot" });
    const node = make("article", { class: "message answer", "aria-label": say("answer"), tabindex: -1 }, body, notice, foot);
    if (last) node.classList.add("last");
    const part = { node, body, notice, foot, markdown: null, thinking: null, how: "" };
    this.parts.set(message.id, part);
    this.fill(message, part);
    return node;
  }

  refresh(message) {
    if (!this.parts.has(message.id)) return;
    if (this.waiting.size === 0)
      requestAnimationFrame(() => {
        for (const one of this.waiting) if (this.parts.has(one.id)) this.fill(one, this.parts.get(one.id));
        this.waiting.clear();
        this.follow();
      });
    this.waiting.add(message);
  }

  fill(message, part) {
    const { status } = message;
    const busy = status === "waiting" || status === "writing" || status === "queued";
    part.node.setAttribute("aria-busy", String(busy));
    part.node.classList.toggle("writing", status === "writing");
    this.fillBody(message, part, busy);
    // While text streams in, nothing below it changes.
    const how = status === "queued" ? `queued ${message.wait}` : status;
    if (how === part.how) return;
    part.how = how;
    part.notice.replaceChildren(...this.notices(message));
    part.foot.replaceChildren(...(busy ? [] : this.foot(message)));
  }

  fillBody(message, part, busy) {
    if (message.status === "waiting") {
      const dots = make("span", { class: "dots", "aria-hidden": "true" }, make("i"), make("i"), make("i"));
      part.body.replaceChildren(dots, make("span", { class: "unseen" }, say("waiting")));
      part.markdown = null;
      return;
    }
    if (!part.markdown) {
      const text = make("div", { class: "prose" });
      part.body.replaceChildren(text);
      part.markdown = new Markdown(text);
      part.thinking = null;
    }
    if (message.schema) {
      const tidy = busy ? message.content : (tidyJson(message.content) ?? message.content);
      part.markdown.show(message.content ? `${JSON_FENCE}json\n${tidy}\n${JSON_FENCE}` : "");
      return;
    }
    const { thought, said, open } = splitThought(message.content);
    if (thought) this.fillThought(part, thought, open && busy);
    part.markdown.show(said);
  }

  fillThought(part, thought, open) {
    if (!part.thinking) {
      const text = make("div", { class: "prose" });
      const details = make("details", { class: "thinking" }, make("summary", {}, say("thinking")), text);
      part.body.prepend(details);
      part.thinking = { details, markdown: new Markdown(text) };
    }
    part.thinking.details.classList.toggle("open", open);
    part.thinking.markdown.show(thought);
  }

  notices(message) {
    const line = (kind, text, ...buttons) => make("div", { class: `note ${kind}` }, icon("warning"), make("p", {}, text), ...buttons);
    if (message.status === "queued")
      return [line("calm", say("busy", { seconds: message.wait }), textButton(say("tryNow"), () => this.actions.tryNow()))];
    if (message.status === "error")
      return [line("bad", message.error.text, textButton(say("retry"), () => this.actions.retry(message)))];
    if (message.status === "length") {
      const [words, act, name] = message.full
        ? ["contextFull", () => this.actions.begin(), "newChat"]
        : ["reachedLimit", () => this.actions.settings("max_tokens"), "raiseLimit"];
      return [line("calm", say(message.schema ? `${words}Schema` : words), textButton(say(name), act))];
    }
    return [];
  }

  foot(message) {
    const copy = iconButton("copy", say("copy"), () => copyText(message.content, copy));
    const retry = iconButton("retry", say("retryAnswer"), () => this.actions.retry(message));
    const buttons = [...this.versions(message), message.content && copy, message.status !== "error" && retry];
    const facts = factsOf(message).map((text) => make("span", {}, text));
    return [make("div", { class: "actions" }, ...buttons), make("p", { class: "facts" }, ...facts)];
  }
}

// Longer than any run of tildes a JSON answer is likely to have; if one did, it would look odd.
const JSON_FENCE = "~".repeat(40);

/** What a thinking model wrote before its answer, apart from the answer. */
function splitThought(text) {
  const start = /^\s*<think>/.exec(text);
  if (!start) return { thought: "", said: text, open: false };
  const end = text.indexOf("</think>");
  if (end === -1) return { thought: text.slice(start[0].length), said: "", open: true };
  return { thought: text.slice(start[0].length, end).trim(), said: text.slice(end + 8), open: false };
}

function factsOf({ stats, status }) {
  const facts = [];
  if (status === "stopped" || status === "interrupted") facts.push(say(status));
  if (!stats) return facts;
  if (stats.tokens !== undefined)
    facts.push(stats.tokens === 1 ? say("oneToken") : say("tokens", { count: number(stats.tokens) }));
  if (stats.speed > 0) facts.push(say("perSecond", { speed: number(stats.speed, 1) }));
  if (stats.first !== undefined) facts.push(say("firstToken", { seconds: number(stats.first, 2) }));
  if (stats.prompt !== undefined)
    facts.push(say("cached", { cached: number(stats.cached), prompt: number(stats.prompt) }));
  return facts;
}

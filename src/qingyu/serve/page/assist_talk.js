// The conversation: what was said, the answer, what changed, why, and buttons to answer with.
//
//   const talk = new Talk(byId("messages"), byId("scroller"), { say, undo, samples });
//   const turn = talk.ask("打开台灯");  talk.answer(turn, answer)  or  talk.fail(turn, message)
//   talk.fired(event)                  a schedule whose time came
//
// It is kept while the page is open, and nowhere else. Texts of answers stay in the language they
// were given in; everything around them is drawn in the page's.

import { announce, make, textButton } from "./dom.js";
import { icon } from "./icons.js";
import { language, number, say } from "./words.js";

const MOST_TURNS = 200;
const REPLIES = { yes: { en: "yes", zh: "是" }, no: { en: "no", zh: "不用" } };

export class Talk {
  constructor(container, scroller, actions) {
    this.container = container;
    this.scroller = scroller;
    this.actions = actions;
    this.turns = [];
  }

  add(turn) {
    this.turns.push(turn);
    this.turns.splice(0, this.turns.length - MOST_TURNS);
    this.draw();
    return turn;
  }

  ask(question) {
    return this.add({ question });
  }

  answer(turn, answer) {
    turn.answer = answer;
    this.draw();
    announce(answer.text);
  }

  fail(turn, message) {
    turn.error = message;
    this.draw();
    announce(message);
  }

  fired(event) {
    this.add({ fired: event, answer: event });
    announce(event.text);
  }

  news(list) {
    for (const one of list) this.add({ news: one });
  }

  /** The last turn that may be answered or taken back; what fired by itself is none. */
  get last() {
    return this.turns.findLast((turn) => turn.answer && !turn.fired) ?? null;
  }

  /** The last question a person asked, for who wants to change it a little. */
  get lastQuestion() {
    return this.turns.findLast((turn) => turn.question)?.question ?? "";
  }

  draw() {
    const held = this.container.contains(document.activeElement);
    const open = new Set(this.turns.filter((turn) => turn.node?.querySelector("details")?.open));
    this.container.replaceChildren(...(this.turns.length ? this.turns.flatMap((turn) => this.parts(turn, open.has(turn))) : [this.welcome()]));
    if (held && !this.container.contains(document.activeElement)) this.container.focus();
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  welcome() {
    const samples = this.actions.samples().map((text) => textButton(text, () => this.actions.say(text), "button sample"));
    return make("div", { class: "welcome" }, make("h2", {}, say("talk")), samples.length ? make("p", {}, say("tryThis")) : null, make("div", { class: "samples" }, ...samples));
  }

  parts(turn, open) {
    const parts = [];
    if (turn.question) parts.push(make("article", { class: "message question", "aria-label": say("you") }, make("div", { class: "bubble" }, turn.question)));
    if (turn.news) parts.push(make("article", { class: "message answer", "aria-label": say("answer") }, this.newsNote(turn.news)));
    else {
      turn.node = this.answerNode(turn, open);
      parts.push(turn.node);
    }
    return parts;
  }

  newsNote({ status, at, words, detail }) {
    const told = words[language()] + (detail ? ` (${detail})` : "");
    return make("div", { class: "note calm" }, icon("warning"), make("p", {}, say(`news_${status}`, { at: when(at), text: told })));
  }

  answerNode(turn, open) {
    const { answer, error } = turn;
    const waiting = !answer && !error;
    const node = make("article", { class: "message answer", "aria-label": say("answer"), "aria-busy": String(waiting) });
    if (waiting) {
      node.append(make("div", { class: "dots", role: "img", "aria-label": say("working") }, make("i"), make("i"), make("i")));
      return node;
    }
    if (error) {
      node.append(make("div", { class: "note bad" }, icon("warning"), make("p", {}, error)));
      return node;
    }
    if (turn.fired) {
      const { rings, text } = turn.fired.schedule;
      node.append(make("p", { class: "lead" }, icon("clock"), rings ? say("rings") : say("firedLead", { text })));
    }
    const lang = (answer.language ?? language()) === "zh" ? "zh-CN" : "en";
    node.append(make("p", { class: "reply", lang }, answer.text));
    const changes = answer.steps.flatMap((step) => step.changes);
    if (changes.length) node.append(make("ul", { class: "changes" }, ...changes.map(changeItem)));
    if (turn === this.last && answer.pending) node.append(this.buttons(answer));
    node.append(whyNode(answer, open));
    const did = answer.steps.some((step) => step.outcome === "done") || answer.planned?.length;
    if (turn === this.last && did && !turn.isUndo && !answer.pending)
      node.append(make("div", { class: "ask" }, textButton(say("undo"), () => this.actions.undo(), "button undo")));
    return node;
  }

  /** What may be answered, as buttons: in the language of the question, for that turn only. */
  buttons(answer) {
    const reply = (label, text, kind = "button") => textButton(label, () => this.actions.say(text, { turn: answer.turn, language: answer.language }), kind);
    const no = reply(say("no"), REPLIES.no[answer.language]);
    if (answer.pending === "confirm") return make("div", { class: "ask" }, reply(say("yes"), REPLIES.yes[answer.language], "button primary"), no);
    const choices = answer.choices.map((choice) => reply(choice[language()], choice[answer.language]));
    return make("div", { class: "ask" }, ...choices, no);
  }
}

function changeItem({ device, what, before, after }) {
  const place = language();
  const from = before ? [make("span", { class: "before" }, before[place] || say("none")), " → "] : [];
  return make("li", {}, `${device[place]} · ${what[place]}: `, ...from, make("strong", {}, after[place] || say("none")));
}

/** Who understood it, as which calls, what the guard said of each, and how long it took. */
function whyNode(answer, open) {
  const place = language();
  const facts = [];
  if (answer.path) facts.push(say(`path_${answer.path}`));
  if (answer.seconds !== undefined) facts.push(say("milliseconds", { count: number(answer.seconds * 1000, answer.seconds < 0.01 ? 1 : 0) }));
  const details = make("details", { class: "why", open }, make("summary", {}, [say("why"), facts.join(" · ")].filter(Boolean).join(": ")));
  if (answer.form) details.append(make("p", {}, `${say("formSaid")}: `, make("code", {}, answer.form)));
  const steps = new Map(answer.steps.map((step) => [JSON.stringify(step.call), step]));
  const rows = answer.verdicts.map((verdict) => {
    const step = steps.get(JSON.stringify(verdict.call));
    const outcome = step ? ` · ${say(`step_${step.outcome}`)}${step.detail ? ` (${step.detail})` : ""}` : "";
    const text = `${say(`verdict_${verdict.outcome}`)}${limits(verdict)}${outcome}`;
    const fine = verdict.outcome === "fine" || verdict.outcome === "already";
    return make("li", { class: fine ? "fine" : "stopped" }, icon(fine ? "check" : verdict.outcome === "risky" ? "lock" : "cross"), make("span", {}, `${verdict.words[place]}: `, make("strong", {}, text)));
  });
  if (rows.length) details.append(make("p", {}, say("guardSaid")), make("ul", { class: "verdicts" }, ...rows));
  for (const planned of answer.planned ?? [])
    details.append(make("p", {}, `${when(planned.at)}: ${planned.words.map((words) => words[place]).join(", ")}`));
  if (!rows.length && !answer.planned?.length) details.append(make("p", {}, say("guardSilent")));
  return details;
}

function limits({ outcome, low, high, unit, options, speed }) {
  if (outcome === "out_of_range" && low !== undefined && high !== undefined)
    return ` (${say("rangeFrom", { low: number(low, 2), high: `${number(high, 2)}${unit ? ` ${unit}` : ""}` })})`;
  if (speed !== undefined) return ` (${say("movingAt", { speed: number(speed, 1) })})`;
  if (options?.length && options.length <= 12) return ` (${say("onlyThese", { options: options.join(", ") })})`;
  return "";
}

/** A local moment as people write it. */
export const when = (at) =>
  new Date(at).toLocaleString(language() === "zh" ? "zh-CN" : "en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

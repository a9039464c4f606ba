// Puts the assistant's page together: the board, the conversation, and the watch on what changes.

import { SAMPLES } from "./assist_words.js"; // first: others use its words
import { postJson, settings, streamJson } from "./api.js";
import { Lists } from "./assist_lists.js";
import { Talk } from "./assist_talk.js";
import { Board } from "./assist_tiles.js";
import { Composer } from "./composer.js";
import { byId, fillIcons, make } from "./dom.js";
import { icon } from "./icons.js";
import { Store } from "./store.js";
import { drawSwitches, startSwitches } from "./switches.js";
import { language, say, sayAll } from "./words.js";

const AGAIN_AFTER = 2000; // milliseconds
const NOWHERE = "";

const store = new Store();
const board = new Board(byId("tiles"));
new Lists();
let home = null;
let speaker = null; // as the household's file says, until somebody chooses

const talk = new Talk(byId("messages"), byId("scroller"), { say: send, undo, samples });

const composer = new Composer({
  send: (text) => {
    send(text);
    return true;
  },
  stop: () => {},
  openSettings: () => {},
  editLast: () => {
    composer.box.value = talk.lastQuestion;
    composer.changed();
  },
});

// What is said ---------------------------------------------------------------------------------

/** Several may be under way: a stop does not wait for what takes long. */
function send(text, { turn = null, language: reply = null } = {}) {
  ask({ question: text }, "/assist/say", { text, speaker, language: reply, turn });
  focusBox();
}

function undo() {
  ask({ isUndo: true }, "/assist/undo", { speaker, language: language() });
  focusBox();
}

async function ask(turn, path, body) {
  talk.add(turn);
  try {
    talk.answer(turn, await postJson(path, body));
  } catch (error) {
    talk.fail(turn, error.message);
  }
}

/** On a phone the box would bring the keyboard up over half of the page. */
function focusBox() {
  if (matchMedia("(hover: hover)").matches) composer.focus();
}

/** A few sentences that make sense in this household. */
function samples() {
  if (!home) return [];
  const found = SAMPLES.map(([domain, en, zh]) => {
    const device = home.devices.find((one) => one.domain === domain);
    return device && (language() === "zh" ? zh.replace("{zh}", device.name.zh) : en.replace("{en}", device.name.en));
  });
  return found.filter(Boolean).slice(0, 4);
}

// What changes ---------------------------------------------------------------------------------

let watching = null;

async function watch() {
  watching?.abort();
  const mine = (watching = new AbortController());
  while (!mine.signal.aborted) {
    try {
      for await (const event of streamJson("/assist/events", mine.signal)) take(event);
      if (!mine.signal.aborted) banner("goneShort");
    } catch (error) {
      if (mine.signal.aborted) return;
      banner(error.status === 503 ? "loadingHome" : error.kind === "gone" || !error.status ? "goneShort" : null, error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER));
  }
}

function take(event) {
  if (event.type === "state") {
    const first = home === null;
    home = event;
    banner(null);
    drawHome();
    if (first) talk.draw();
  } else if (event.type === "changes") {
    board.change(event.values, event.changed);
  } else if (event.type === "fired") {
    talk.fired(event);
  } else if (event.type === "news") {
    talk.news(event.news);
  }
}

// What is drawn --------------------------------------------------------------------------------

function drawHome() {
  if (!home) return;
  speaker ??= home.speaker;
  byId("title").textContent = home.household;
  document.title = `${home.household} · Qingyu`;
  const places = home.areas.map(({ id, name }) => make("option", { value: id }, name[language()]));
  byId("speaker").replaceChildren(make("option", { value: NOWHERE }, say("nowhere")), ...places);
  byId("speaker").value = speaker;
  board.show(home);
}

function drawAll() {
  sayAll(document);
  drawSwitches();
  drawHome();
  talk.draw();
}

function banner(words, other = "") {
  const text = words ? say(words) : other;
  byId("banner").hidden = !text;
  byId("banner").replaceChildren(...(text ? [icon("warning"), make("span", {}, text)] : []));
}

byId("speaker").addEventListener("change", () => (speaker = byId("speaker").value));
startSwitches(store, drawAll);
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
  event.preventDefault();
  composer.focus();
});
// A tab nobody looks at holds no connection: a browser has but six for a server.
document.addEventListener("visibilitychange", () => (document.hidden ? watching?.abort() : watch()));

fillIcons(document);
drawAll();
focusBox();
if (settings.assist) watch();

// Puts the page together: who tells whom, keys, colours, language, and the watch on the server.

import { settings } from "./api.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { choose, newConversation } from "./conversation.js";
import { announce, byId, download, fillDialog, fillIcons, make, textButton, toast } from "./dom.js";
import { icon } from "./icons.js";
import { Messages } from "./messages.js";
import { Panels } from "./panels.js";
import { promptOf, schemaProblem, schemaText, SettingsSheet } from "./settings.js";
import { fileName, Sidebar } from "./sidebar.js";
import { Store } from "./store.js";
import { drawSwitches, startSwitches } from "./switches.js";
import { say, sayAll } from "./words.js";

const WATCH_EVERY = 15_000; // milliseconds
const WATCH_WHEN_GONE = 2_000;
const HERE = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

const store = new Store();
const panels = new Panels();
let current = null;

const sidebar = new Sidebar({
  list: (query) => store.list(query),
  open: (id) => show(store.open(id)),
  rename: (chat, title) => {
    chat.title = title;
    chats.save(chat);
    drawTitle();
  },
  remove,
});

const composer = new Composer({
  send,
  stop: () => chats.stop(current),
  openSettings: (field) => sheet.open(current, field),
  editLast: () => messages.editLast(),
});

const messages = new Messages(byId("messages"), byId("scroller"), {
  running: () => chats.running(current),
  retry: (message) => schemaFits() && chats.retry(current, message),
  resend: (message, text) => {
    if (!schemaFits()) return;
    chats.resend(current, message, text);
    composer.focus();
  },
  choose: (id) => {
    if (chats.running(current)) return;
    choose(current, id);
    chats.save(current);
    messages.show(current);
    announce(say("versionShown"));
  },
  suggest: (suggestion) => {
    current.settings.schema = schemaText(suggestion);
    send(promptOf(suggestion));
    focusBox(); // the card that had the focus is gone
  },
  settings: (field) => sheet.open(current, field),
  begin: () => startNew(),
  tryNow: () => chats.tryNow(current),
  greeting: () => say(HERE ? (panels.sealed ? "helloLine" : "helloHere") : "helloOpen", { model: panels.name }),
  atEnd: (near) => (byId("to-end").hidden = near || current?.leaf === null),
});

const sheet = new SettingsSheet({
  changed: (chat) => {
    if (chat.leaf !== null) chats.save(chat);
    composer.show({ running: chats.running(chat), settings: chat.settings });
  },
  keepDefaults: (settings) => store.prefer({ defaults: { ...settings } }),
});

const chats = new Chat(store, {
  changed: (chat) => {
    sidebar.draw();
    if (chat !== current) return;
    messages.show(chat);
    messages.toEnd();
    drawTitle();
    drawComposer();
  },
  wrote: (chat, message) => {
    if (chat === current) messages.refresh(message);
  },
  finished: (chat, message) => {
    sidebar.draw();
    if (message.error?.kind === "gone") watch();
    if (chat !== current) return;
    // What had the focus may be drawn anew; it goes to the box then, not to the top of the page.
    const held = byId("messages").contains(document.activeElement);
    messages.show(chat);
    if (held && !byId("messages").contains(document.activeElement)) composer.focus();
    drawComposer();
    if (message.status === "error") announce(message.error.text);
    else announce(`${say(message.status === "stopped" ? "stopped" : "finished")} ${spoken(message)}`.trim());
  },
  unsaved: (how) => {
    if (how === "full") banner("storage", "storageFull", { words: "exportThis", act: () => exportOne(current) });
    else banner("storage", how === "none" ? "storageNone" : null);
  },
});

// Conversations --------------------------------------------------------------------------------

function show(chat) {
  if (current !== chat && !chats.running(current)) store.leave(current.id);
  current = chat;
  composer.use(chat.id);
  messages.show(chat);
  sidebar.show(chat.id, (id) => chats.runs.has(id));
  drawTitle();
  drawComposer();
}

/** On a phone the box would bring the keyboard up over half of the page. */
function focusBox() {
  if (matchMedia("(hover: hover)").matches) composer.focus();
  else byId("messages").focus();
}

const fresh = () => newConversation(store.preferences().defaults);

function startNew() {
  // An empty conversation is as good as a new one.
  if (current.leaf !== null) show(fresh());
  sidebar.slide(false, false);
  focusBox();
}

function send(text) {
  if (chats.running(current) || !schemaFits()) return false;
  chats.send(current, text);
  return true;
}

function schemaFits() {
  if (schemaProblem(current.settings.schema) === null) return true;
  sheet.open(current, "schema"); // it says there what is wrong
  return false;
}

function remove(chat) {
  chats.drop(chat);
  store.remove(chat.id);
  const undo = () => {
    chats.save(chat);
    show(chat);
  };
  if (chat.id === current.id) show(fresh());
  sidebar.draw();
  toast(say("removed", { title: chat.title }), { name: say("undo"), act: undo });
}

const exportOne = (chat) => download(fileName(chat.title), chat);

function exportAll() {
  const all = store.list();
  if (all.length) download(`qingyu-${new Date().toISOString().slice(0, 10)}.json`, all);
  else toast(say("nothingToExport"));
}

/** What a screen reader says of an answer: its text as shown, without buttons and figures. */
const spoken = (message) => messages.parts.get(message.id)?.body.innerText.trim() ?? "";

// What is drawn --------------------------------------------------------------------------------

function drawTitle() {
  const title = current.title || say("untitled");
  byId("title").textContent = title;
  byId("title").classList.toggle("quiet", !current.title);
  document.title = current.title ? `${current.title} · Qingyu` : "Qingyu 轻语";
}

function drawComposer() {
  composer.show({ running: chats.running(current), settings: current.settings });
}

function drawAll() {
  sayAll(document);
  drawSwitches();
  byId("new-chat-key").textContent = APPLE ? "⌘K" : "Ctrl K";
  panels.draw();
  sheet.redraw();
  show(current);
  drawBanner();
}

// The most pressing first; each { words, action: { words, act } }.
const banners = { gone: null, loading: null, storage: null };

function banner(kind, words, action = null) {
  if (banners[kind]?.words === words) return;
  banners[kind] = words && { words, action };
  drawBanner();
}

function drawBanner() {
  const shown = banners.gone ?? banners.loading ?? banners.storage;
  byId("banner").hidden = !shown;
  byId("banner").replaceChildren();
  if (!shown) return;
  byId("banner").append(icon("warning"), make("span", {}, say(shown.words)));
  if (shown.action) byId("banner").append(textButton(say(shown.action.words), shown.action.act));
}

function openShortcuts() {
  const control = APPLE ? "⌘" : "Ctrl";
  const keys = [
    [["Enter"], "keySend"],
    [["Shift", "Enter"], "keyLine"],
    [["Esc"], "keyStop"],
    [[control, "K"], "keyNew"],
    [["/"], "keyFocus"],
    [["↑"], "keyEdit"],
    [[control, "Shift", "F"], "keySearch"],
    [["?"], "keyHelp"],
  ];
  const list = make(
    "dl",
    { class: "rows keys" },
    ...keys.map(([names, words]) => make("div", {}, make("dt", {}, say(words)), make("dd", {}, ...names.map((name) => make("kbd", {}, name))))),
  );
  fillDialog(byId("shortcuts-dialog"), "shortcuts-title", say("shortcuts"), list);
  byId("shortcuts-dialog").showModal();
}

// The server -----------------------------------------------------------------------------------

let gone = false;
let timer = null;

async function watch() {
  clearTimeout(timer);
  let ready = false;
  try {
    const answer = await fetch("/health", { cache: "no-store" });
    ready = answer.ok;
    if (answer.ok) await panels.refresh();
    if (gone) toast(say("back"));
    gone = false;
    banner("gone", null);
    banner("loading", ready ? null : "loadingModel");
  } catch {
    gone = true;
    banner("gone", "goneShort");
  }
  document.documentElement.classList.toggle("server-gone", gone || !ready);
  if (current?.leaf === null) messages.show(current);
  timer = setTimeout(watch, gone || !ready ? WATCH_WHEN_GONE : WATCH_EVERY);
}

// Keys and buttons -----------------------------------------------------------------------------

function key(event) {
  if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
  const control = APPLE ? event.metaKey : event.ctrlKey;
  if (control && event.key.toLowerCase() === "k" && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    closeDialogs();
    startNew();
    return;
  }
  if (control && event.shiftKey && event.key.toLowerCase() === "f") {
    event.preventDefault();
    closeDialogs();
    sidebar.search();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && chats.running(current)) {
    event.preventDefault();
    chats.stop(current);
    composer.focus();
    return;
  }
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || control || event.altKey || event.metaKey) return;
  if (event.key === "/") {
    event.preventDefault();
    composer.focus();
  } else if (event.key === "?") {
    event.preventDefault();
    openShortcuts();
  }
}

const closeDialogs = () => document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());

document.addEventListener("keydown", key);
byId("new-chat").addEventListener("click", startNew);
byId("open-settings").addEventListener("click", () => sheet.open(current));
byId("export-all").addEventListener("click", exportAll);
byId("shortcuts").addEventListener("click", openShortcuts);
byId("to-end").addEventListener("click", () => messages.toEnd());
startSwitches(store, () => {
  drawAll();
  panels.refresh().catch(() => {});
});
byId("to-assist").hidden = !settings.assist;
window.addEventListener("pagehide", () => chats.saveRunning());
window.addEventListener("storage", () => {
  store.readAll();
  sidebar.draw();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) watch();
});

fillIcons(document);
current = fresh();
drawAll();
focusBox();
if (!store.keeps) banner("storage", "storageNone");
else if (store.damaged) banner("storage", "damaged");
watch();

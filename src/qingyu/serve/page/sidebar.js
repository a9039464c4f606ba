// The list of conversations: open, rename, delete, search, export.
//
//   const sidebar = new Sidebar({ list, open, rename, remove, save });
//   sidebar.show(currentId, runningIds)
//
// On a narrow screen it is a drawer; while that is shut nothing in it can be reached.

import { byId, download, iconButton, make } from "./dom.js";
import { say } from "./words.js";

const DAY = 24 * 60 * 60 * 1000;
const narrow = window.matchMedia("(max-width: 820px)");

export class Sidebar {
  constructor(actions) {
    this.actions = actions;
    this.node = byId("sidebar");
    this.query = "";
    this.current = null;
    this.running = () => false;
    byId("search").addEventListener("input", (event) => {
      this.query = event.target.value;
      this.draw();
    });
    byId("open-sidebar").addEventListener("click", () => this.slide(true));
    byId("close-sidebar").addEventListener("click", () => this.slide(false));
    byId("veil").addEventListener("click", () => this.slide(false));
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && narrow.matches) {
        event.stopPropagation();
        this.slide(false);
      }
    });
    narrow.addEventListener("change", () => this.slide(false, false));
    this.slide(false, false);
  }

  slide(open, focus = true) {
    const drawer = narrow.matches;
    this.node.classList.toggle("open", drawer && open);
    this.node.inert = drawer && !open;
    byId("main").inert = drawer && open;
    byId("veil").hidden = !(drawer && open);
    byId("open-sidebar").setAttribute("aria-expanded", String(drawer && open));
    if (drawer && focus) byId(open ? "close-sidebar" : "open-sidebar").focus();
  }

  search() {
    if (narrow.matches) this.slide(true);
    byId("search").focus();
  }

  show(current, running) {
    this.current = current;
    this.running = running;
    this.draw();
  }

  draw() {
    const focused = this.node.contains(document.activeElement) ? document.activeElement.closest("li")?.dataset.id : null;
    const found = this.actions.list(this.query);
    const groups = new Map();
    for (const chat of found) {
      const name = dayOf(chat.updated);
      groups.set(name, [...(groups.get(name) ?? []), chat]);
    }
    const parts = [...groups].map(([name, chats]) =>
      make("section", {}, make("h2", {}, say(name)), make("ul", {}, ...chats.map((chat) => this.item(chat)))),
    );
    if (!parts.length) {
      const text = this.query.trim() ? say("noMatch", { query: this.query.trim() }) : say("noConversations");
      parts.push(make("p", { class: "nothing", role: "status" }, text));
    }
    byId("conversations").replaceChildren(...parts);
    if (focused) this.focusOn(focused);
  }

  focusOn(id) {
    this.node.querySelector(`li[data-id="${CSS.escape(id)}"] .open-chat`)?.focus();
  }

  item(chat) {
    const title = chat.title || say("untitled");
    const here = chat.id === this.current;
    const open = () => {
      this.actions.open(chat.id);
      if (narrow.matches) this.slide(false);
    };
    const button = make("button", { type: "button", class: "open-chat", "aria-current": here ? "true" : null, title, on: { click: open } }, title);
    if (this.running(chat.id)) button.append(make("span", { class: "pulse", role: "img", "aria-label": say("writing") }));
    const item = make(
      "li",
      { "data-id": chat.id },
      button,
      make(
        "span",
        { class: "item-actions" },
        iconButton("edit", say("renameOf", { title }), () => this.rename(chat, item), { title: say("rename") }),
        iconButton("download", say("exportOf", { title }), () => download(fileName(title), chat), { title: say("exportOf", { title }) }),
        iconButton("trash", say("removeOf", { title }), () => this.remove(chat), { title: say("remove") }),
      ),
    );
    return item;
  }

  rename(chat, item) {
    const box = make("input", { class: "rename", "aria-label": say("newName"), value: chat.title, maxlength: 120 });
    let done = false;
    const finish = (keep) => {
      if (done) return;
      done = true;
      const title = box.value.trim();
      if (keep && title) this.actions.rename(chat, title);
      this.draw();
      this.focusOn(chat.id);
    };
    box.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") {
        event.stopPropagation();
        finish(false);
      }
    });
    box.addEventListener("blur", () => finish(true));
    item.replaceChildren(box);
    box.select();
  }

  remove(chat) {
    const items = [...this.node.querySelectorAll("li[data-id]")];
    const place = items.findIndex((item) => item.dataset.id === chat.id);
    const next = (items[place + 1] ?? items[place - 1])?.dataset.id;
    this.actions.remove(chat);
    if (next) this.focusOn(next);
    else byId("new-chat").focus();
  }
}

export function fileName(title) {
  const plain = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 40);
  return `qingyu-${plain || "chat"}.json`;
}

function dayOf(time) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return "today";
  return time >= midnight - DAY ? "yesterday" : "earlier";
}

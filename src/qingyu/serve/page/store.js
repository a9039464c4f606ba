// Keeps conversations and preferences in the browser: nowhere else.
//
//   const store = new Store();
//   store.save(chat)              "saved", "full", or "none" when the browser keeps nothing
//   store.list("query")           [{ id, title, updated }], newest first
//
// Each conversation is an entry of its own, so that two tabs do not overwrite each other's.

import { revive } from "./conversation.js";

const PREFIX = "qingyu.chat.";
const PREFERENCES = "qingyu.preferences";

export class Store {
  constructor() {
    this.live = new Map(); // conversations in use, so that everybody changes the same one
    this.damaged = false;
    try {
      this.disk = window.localStorage;
      this.disk.getItem(PREFERENCES);
    } catch {
      this.disk = null;
    }
    this.index = new Map();
    this.readAll();
  }

  get keeps() {
    return this.disk !== null;
  }

  /** Reads what other tabs may have changed. What this tab has in use stays as it is here. */
  readAll() {
    this.index.clear();
    for (const chat of this.live.values()) if (chat.leaf !== null) this.index.set(chat.id, chat);
    if (!this.disk) return;
    for (let place = 0; place < this.disk.length; place += 1) {
      const key = this.disk.key(place);
      if (!key.startsWith(PREFIX) || this.index.has(key.slice(PREFIX.length))) continue;
      const chat = this.parse(this.disk.getItem(key));
      if (chat) this.index.set(chat.id, chat);
    }
  }

  parse(text) {
    try {
      const chat = revive(JSON.parse(text));
      if (!chat) this.damaged = true;
      return chat;
    } catch {
      this.damaged = true;
      return null;
    }
  }

  list(query = "") {
    const wanted = query.trim().toLowerCase();
    return [...this.index.values()]
      .filter((chat) => !wanted || this.has(chat, wanted))
      .sort((one, other) => other.updated - one.updated);
  }

  has(chat, wanted) {
    if (chat.title.toLowerCase().includes(wanted)) return true;
    return Object.values(chat.messages).some((message) => message.content.toLowerCase().includes(wanted));
  }

  open(id) {
    const chat = this.live.get(id) ?? this.index.get(id) ?? null;
    if (chat) this.live.set(id, chat);
    return chat;
  }

  /** Forgets that a conversation is in use here; another tab's changes count again. */
  leave(id) {
    this.live.delete(id);
  }

  save(chat) {
    this.live.set(chat.id, chat);
    this.index.set(chat.id, chat);
    return this.put(PREFIX + chat.id, chat);
  }

  remove(id) {
    this.live.delete(id);
    this.index.delete(id);
    this.disk?.removeItem(PREFIX + id);
  }

  put(key, value) {
    if (!this.disk) return "none";
    try {
      this.disk.setItem(key, JSON.stringify(value));
      return "saved";
    } catch (error) {
      if (error.name === "QuotaExceededError" || error.name === "NS_ERROR_DOM_QUOTA_REACHED") return "full";
      throw error;
    }
  }

  preferences() {
    try {
      return JSON.parse(this.disk?.getItem(PREFERENCES) ?? "{}") ?? {};
    } catch {
      return {};
    }
  }

  prefer(changes) {
    return this.put(PREFERENCES, { ...this.preferences(), ...changes });
  }
}

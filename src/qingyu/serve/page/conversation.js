// A conversation as a tree: asking again or editing keeps what was there before as a version.
//
//   const chat = newConversation(defaults);
//   const question = append(chat, null, { role: "user", content: "Hello" });
//   path(chat)                                    the messages on the way to the chosen leaf
//
// Plain data that JSON can hold; knows neither the server nor the screen.

const FORMAT = 1;
const TITLE_LENGTH = 48;

/** What an answer is asked for with; null is the server's own choice. */
export const DEFAULTS = {
  system: "",
  schema: "",
  temperature: 0.7,
  top_p: 0.9,
  top_k: 0,
  min_p: 0.05,
  repetition_penalty: 1.05,
  max_tokens: null,
  seed: null,
  stop: "",
  think: "",
};

export const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, "0")).join("");

export function newConversation(settings = {}) {
  const now = Date.now();
  return { format: FORMAT, id: newId(), title: "", created: now, updated: now, settings: settled(settings), messages: {}, leaf: null };
}

/** Adds a message under `parent` (an id, or null for the first) and chooses it. */
export function append(chat, parent, message) {
  const whole = { id: newId(), parent, created: Date.now(), ...message };
  chat.messages[whole.id] = whole;
  chat.leaf = whole.id;
  chat.updated = whole.created;
  if (!chat.title && whole.role === "user") chat.title = titleOf(whole.content);
  return whole;
}

export function titleOf(text) {
  const line = text.trim().split("\n", 1)[0].replace(/\s+/g, " ");
  const letters = [...line];
  return letters.length > TITLE_LENGTH ? `${letters.slice(0, TITLE_LENGTH - 1).join("").trimEnd()}…` : line;
}

export function path(chat, leaf = chat.leaf) {
  const found = [];
  for (let id = leaf; id !== null && found.length <= Object.keys(chat.messages).length; id = chat.messages[id].parent)
    found.push(chat.messages[id]);
  return found.reverse();
}

const children = (chat, parent) =>
  Object.values(chat.messages)
    .filter((message) => message.parent === parent)
    .sort((one, other) => one.created - other.created);

/** The versions a message is one of, oldest first. */
export const versions = (chat, message) => children(chat, message.parent);

/** Chooses a message and the newest way on from it. */
export function choose(chat, id) {
  let leaf = id;
  for (let next = children(chat, leaf); next.length; next = children(chat, leaf)) leaf = next.at(-1).id;
  chat.leaf = leaf;
}

/** Takes out an answer that has come to nothing, so that it is no version of anything. */
export function discard(chat, message) {
  delete chat.messages[message.id];
  if (chat.leaf === message.id) chat.leaf = message.parent;
}

/** What the server is sent for the answer after message `id`. */
export function toSend(chat, id) {
  const messages = [];
  for (const { role, content } of path(chat, id)) {
    const last = messages.at(-1);
    if (role === "assistant" && !content) continue;
    // Questions that were never answered become one: many models' templates want turns.
    if (role === "user" && last?.role === "user") last.content += `\n\n${content}`;
    else messages.push({ role, content });
  }
  const system = chat.settings.system.trim();
  return system ? [{ role: "system", content: system }, ...messages] : messages;
}

/** Settings with nothing missing and nothing of another kind, whatever was stored. */
function settled(stored) {
  const settings = { ...DEFAULTS };
  for (const [key, usual] of Object.entries(DEFAULTS)) {
    const value = stored?.[key];
    const fits = typeof usual === "string" ? typeof value === "string" : Number.isFinite(value);
    if (fits) settings[key] = value;
  }
  return settings;
}

/** A conversation from storage, or null if it is none; answers still in the making have ended. */
export function revive(value) {
  const sound =
    value?.format === FORMAT &&
    typeof value.id === "string" &&
    typeof value.title === "string" &&
    typeof value.messages === "object" &&
    value.messages !== null &&
    (value.leaf === null || value.leaf in value.messages) &&
    Object.entries(value.messages).every(
      ([id, message]) =>
        message.id === id &&
        typeof message.content === "string" &&
        (message.role === "user" || message.role === "assistant") &&
        (message.parent === null || message.parent in value.messages),
    );
  if (!sound) return null;
  value.settings = settled(value.settings);
  for (const message of Object.values(value.messages))
    if (["waiting", "queued", "writing"].includes(message.status)) message.status = "interrupted";
  return value;
}

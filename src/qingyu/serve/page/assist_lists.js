// What was taught and what is planned, in dialogs: to look through, and to erase.
//
//   new Lists()

import { getJson, postJson } from "./api.js";
import { announce, byId, closeOutside, fillDialog, iconButton, make, textButton } from "./dom.js";
import { when } from "./assist_talk.js";
import { language, say, sayOr } from "./words.js";

const KINDS = {
  memory: { path: "/assist/memory", erase: "/assist/memory/forget", title: "taught", none: "taughtNone", help: "taughtHelp", one: "forgetOf", all: "forgetAll", sure: "forgetSure" },
  schedules: { path: "/assist/schedules", erase: "/assist/schedules/cancel", title: "schedules", none: "schedulesNone", one: "cancelOf", all: "cancelAll", sure: "cancelSure" },
};

export class Lists {
  constructor() {
    for (const kind of Object.keys(KINDS)) {
      closeOutside(byId(`${kind}-dialog`));
      byId(`open-${kind}`).addEventListener("click", () => this.open(kind));
    }
  }

  open(kind) {
    this.draw(kind, null);
    byId(`${kind}-dialog`).showModal();
    this.load(kind, () => getJson(KINDS[kind].path));
  }

  async load(kind, ask) {
    try {
      this.draw(kind, (await ask()).data);
    } catch (error) {
      this.draw(kind, [], error.message);
    }
  }

  erase(kind, body) {
    // The button that had the focus is gone afterwards.
    this.load(kind, () => postJson(KINDS[kind].erase, body)).then(() => byId(`${kind}-dialog`).querySelector("button")?.focus());
  }

  draw(kind, rows, problem = "") {
    const words = KINDS[kind];
    const parts = [];
    if (problem) parts.push(make("p", { class: "state bad" }, problem));
    else if (rows === null) parts.push(make("p", {}, say("loading")));
    else if (!rows.length) parts.push(make("p", { class: "nothing" }, say(words.none)));
    if (rows?.length) {
      parts.push(make("ul", { class: "kept" }, ...rows.map((row) => this.row(kind, row))));
      const all = textButton(say(words.all), () => {
        if (all.dataset.sure) return this.erase(kind, { all: true });
        all.dataset.sure = "yes";
        all.textContent = say(words.sure);
        announce(say(words.sure));
      });
      parts.push(make("div", { class: "ask" }, all));
    }
    if (words.help) parts.push(make("p", { class: "help" }, say(words.help)));
    fillDialog(byId(`${kind}-dialog`), `${kind}-title`, say(words.title), ...parts);
  }

  row(kind, row) {
    const { text, more } = kind === "memory" ? taught(row) : planned(row);
    const button = iconButton("trash", say(KINDS[kind].one, { what: text }), () => this.erase(kind, { id: row.id }));
    return make("li", {}, make("div", {}, make("p", {}, text), make("p", { class: "help" }, more)), button);
  }
}

function taught({ kind, name, about, value, words, at }) {
  const place = language();
  const text = say(`memory_${kind}`, { name, about: about?.[place] ?? "", value: value ?? "", words: words.map((one) => one[place]).join(", ") });
  return { text, more: when(at) };
}

function planned({ text, at, days, words }) {
  const place = language();
  const often = days === "once" ? "" : ` · ${sayOr(`days_${days}`, days)}`;
  return { text: words.map((one) => one[place]).join(", "), more: `${when(at)}${often} · “${text}”` };
}

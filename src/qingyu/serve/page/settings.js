// The sheet of a conversation's settings: system prompt, JSON schema, sampling.
//
//   const sheet = new SettingsSheet({ changed, keepDefaults });
//   sheet.open(chat, "schema")        with the focus on one field
//   schemaProblem(text)               null, or why it cannot be used
//
// A value takes effect as it is typed; one that is out of range is named and not taken.

import { DEFAULTS } from "./conversation.js";
import { byId, closeOutside, fillDialog, make, textButton } from "./dom.js";
import { tidyJson } from "./json.js";
import { pick, say, SUGGESTIONS } from "./words.js";

// key, words, lowest, highest, step; a slider where the range is one to feel one's way in.
const NUMBERS = [
  { key: "temperature", name: "temperature", low: 0, high: 2, step: 0.05, slider: true },
  { key: "top_p", name: "topP", low: 0.01, high: 1, step: 0.01, slider: true },
  { key: "min_p", name: "minP", low: 0, high: 1, step: 0.01, slider: true },
  { key: "top_k", name: "topK", low: 0, high: 1_000_000, step: 1 },
  { key: "repetition_penalty", name: "repetition", low: 0.1, high: 10, step: 0.05 },
  { key: "max_tokens", name: "maxTokens", low: 1, high: 1_000_000, step: 1, optional: true },
  { key: "seed", name: "seed", low: 0, high: Number.MAX_SAFE_INTEGER, step: 1, optional: true },
];

/** Why a schema cannot be sent, or null. Empty is fine: no schema. */
export function schemaProblem(text) {
  if (!text.trim()) return null;
  try {
    const value = JSON.parse(text);
    const object = typeof value === "object" && value !== null && !Array.isArray(value);
    return object ? null : say("schemaNotObject");
  } catch (error) {
    return say("schemaBroken", { reason: error.message });
  }
}

export class SettingsSheet {
  constructor(actions) {
    this.actions = actions;
    this.dialog = byId("settings-dialog");
    this.chat = null;
    closeOutside(this.dialog);
  }

  open(chat, field = null) {
    this.chat = chat;
    this.draw();
    if (!this.dialog.open) this.dialog.showModal();
    const wanted = field && this.dialog.querySelector(`[name="${field}"]`);
    if (wanted) {
      wanted.focus();
      wanted.closest(".field").scrollIntoView({ block: "center" });
    }
  }

  redraw() {
    if (this.dialog.open) this.draw();
  }

  set(key, value) {
    this.chat.settings[key] = value;
    this.actions.changed(this.chat);
  }

  draw() {
    const [samplers, limits] = [NUMBERS.slice(0, 5), NUMBERS.slice(5)];
    fillDialog(
      this.dialog,
      "settings-title",
      say("settings"),
      this.systemField(),
      this.schemaField(),
      make("h3", {}, say("sampling")),
      ...samplers.map((one) => this.numberField(one)),
      ...limits.map((one) => this.numberField(one)),
      this.stopField(),
      this.thinkField(),
    );
    const done = () => {
      const wrong = this.dialog.querySelector('input[aria-invalid="true"]');
      if (wrong) wrong.focus();
      else this.dialog.close();
    };
    this.dialog.append(
      make(
        "div",
        { class: "dialog-foot" },
        textButton(say("reset"), () => this.reset()),
        textButton(say("keepDefaults"), () => this.keep()),
        make("span", { class: "state", role: "status" }),
        make("span", { class: "spread" }),
        textButton(say("done"), done, "button primary"),
      ),
    );
  }

  reset() {
    Object.assign(this.chat.settings, DEFAULTS);
    this.actions.changed(this.chat);
    this.draw();
    this.dialog.querySelector("textarea").focus();
  }

  keep() {
    this.actions.keepDefaults(this.chat.settings);
    this.dialog.querySelector(".dialog-foot .state").textContent = say("keptDefaults");
  }

  field(name, key, control, help, extra = null) {
    const id = `setting-${key}`;
    control.id = id;
    control.setAttribute("name", key);
    control.setAttribute("aria-describedby", `${id}-help`);
    return make(
      "div",
      { class: "field" },
      make("label", { for: id }, name),
      control,
      make("p", { class: "help", id: `${id}-help` }, help),
      extra,
    );
  }

  systemField() {
    const box = make("textarea", { rows: 3, placeholder: say("systemExample"), value: this.chat.settings.system });
    box.addEventListener("input", () => this.set("system", box.value));
    return this.field(say("systemPrompt"), "system", box, say("systemHelp"));
  }

  schemaField() {
    const box = make("textarea", { rows: 6, class: "mono", spellcheck: "false", value: this.chat.settings.schema });
    const state = make("p", { class: "state", role: "status" });
    const check = () => {
      const problem = schemaProblem(box.value);
      box.setAttribute("aria-invalid", String(problem !== null));
      state.textContent = problem ?? (box.value.trim() ? say("schemaFine") : "");
      state.classList.toggle("bad", problem !== null);
    };
    const put = (text) => {
      box.value = text;
      check();
      this.set("schema", text);
    };
    box.addEventListener("input", () => put(box.value));
    check();
    const example = () => put(JSON.stringify(SUGGESTIONS.find((one) => one.schema).schema, null, 2));
    const tidy = () => put(tidyJson(box.value) ?? box.value);
    const buttons = make(
      "div",
      { class: "field-foot" },
      state,
      textButton(say("schemaExample"), example, "text-button"),
      textButton(say("schemaTidy"), tidy, "text-button"),
    );
    return this.field(say("schema"), "schema", box, say("schemaHelp"), buttons);
  }

  numberField({ key, name, low, high, step, slider, optional }) {
    const value = this.chat.settings[key];
    const box = make("input", { type: "number", min: low, max: high, step: step < 1 ? "any" : 1, inputmode: step < 1 ? "decimal" : "numeric", value: value ?? "" });
    const state = make("p", { class: "state bad", role: "status" });
    const slide = slider ? make("input", { type: "range", min: low, max: high, step, value, "aria-label": say(name) }) : null;
    const read = () => {
      const text = box.value.trim();
      // A number box holds "" for letters as well; only then is badInput set.
      const empty = text === "" && !box.validity.badInput;
      const found = Number(text);
      const whole = step < 1 || Number.isInteger(found);
      const fine = empty ? optional : text !== "" && found >= low && found <= high && whole;
      box.setAttribute("aria-invalid", String(!fine));
      state.textContent = fine ? "" : say("numberRange", { name: say(name), low, high });
      if (!fine) return;
      if (slide) slide.value = found;
      this.set(key, empty ? null : found);
    };
    box.addEventListener("input", read);
    slide?.addEventListener("input", () => {
      box.value = slide.value;
      read();
    });
    const field = this.field(say(name), key, box, say(`${name}Help`), state);
    field.classList.add("number");
    if (slide) box.after(slide);
    return field;
  }

  stopField() {
    const box = make("textarea", { rows: 2, class: "mono", spellcheck: "false", value: this.chat.settings.stop });
    box.addEventListener("input", () => this.set("stop", box.value));
    return this.field(say("stopAt"), "stop", box, say("stopAtHelp"));
  }

  thinkField() {
    const options = [
      ["", "thinkModel"],
      ["yes", "thinkYes"],
      ["no", "thinkNo"],
    ];
    const box = make("select", {}, ...options.map(([value, words]) => make("option", { value }, say(words))));
    for (const [place, [value]] of options.entries()) box.options[place].value = value;
    box.value = this.chat.settings.think;
    box.addEventListener("change", () => this.set("think", box.value));
    const field = this.field(say("think"), "think", box, say("thinkHelp"));
    field.classList.add("number");
    return field;
  }
}

/** The suggestion's schema as it goes into a conversation's settings. */
export const schemaText = (suggestion) => (suggestion.schema ? JSON.stringify(suggestion.schema, null, 2) : "");
export const promptOf = (suggestion) => pick(suggestion.prompt);

// The box messages are written in.
//
//   const composer = new Composer({ send, stop, openSettings, editLast });
//   composer.show({ running: true, settings });  composer.take()
//
// Enter sends, except while an input method composes: there it chooses a word.

import { byId, make } from "./dom.js";
import { icon } from "./icons.js";
import { say } from "./words.js";

export class Composer {
  constructor(actions) {
    this.actions = actions;
    this.box = byId("message");
    this.drafts = new Map();
    this.id = null;
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("stop").addEventListener("click", () => {
      actions.stop();
      this.focus();
    });
    this.box.addEventListener("input", () => this.changed());
    this.box.addEventListener("keydown", (event) => this.key(event));
    // A click anywhere in the frame is meant for the box.
    byId("composer").addEventListener("click", (event) => {
      if (event.target === event.currentTarget || event.target.classList.contains("composer-row")) this.focus();
    });
    this.changed();
  }

  key(event) {
    // 229: Safari ends the composition before it reports the key that ended it.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && !this.box.value) {
      event.preventDefault();
      this.actions.editLast();
    }
  }

  submit() {
    const text = this.box.value.trim();
    if (text && this.actions.send(text)) {
      this.box.value = "";
      this.changed();
      this.focus();
    }
  }

  changed() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
    byId("send").disabled = !this.box.value.trim();
  }

  focus() {
    this.box.focus();
  }

  /** Keeps what was begun for one conversation while another is looked at. */
  use(id) {
    if (this.id !== null) this.drafts.set(this.id, this.box.value);
    this.id = id;
    this.box.value = this.drafts.get(id) ?? "";
    this.changed();
  }

  show({ running, settings }) {
    const send = byId("send");
    const stop = byId("stop");
    const held = document.activeElement === send || document.activeElement === stop;
    send.hidden = running;
    stop.hidden = !running;
    if (held) (running ? stop : this.box).focus();
    const chip = (name, text, field) =>
      make("button", { type: "button", class: "chip", "aria-haspopup": "dialog", on: { click: () => this.actions.openSettings(field) } }, icon(name), text);
    byId("chips").replaceChildren(
      ...(settings.system.trim() ? [chip("person", say("systemOn"), "system")] : []),
      ...(settings.schema.trim() ? [chip("braces", say("schemaOn"), "schema")] : []),
    );
  }
}

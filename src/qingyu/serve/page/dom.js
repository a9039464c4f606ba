// Small helpers to build nodes. Text only ever becomes text: nothing here parses markup.
//
//   make("button", { class: "button", on: { click: send } }, "Send")
//   iconButton("copy", say("copy"), copy)
//   announce("Answer finished.")           read aloud by screen readers, not shown
//   toast("Deleted.", { name: "Undo", act: undo })

import { icon } from "./icons.js";
import { say } from "./words.js";

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else if (name === "value") {
      node.value = value;
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function iconButton(name, label, act, extra = {}) {
  const properties = { type: "button", class: "icon-button", "aria-label": label, title: label, ...extra };
  return make("button", { ...properties, on: { click: act } }, icon(name));
}

export const textButton = (label, act, kind = "button") =>
  make("button", { type: "button", class: kind, on: { click: act } }, label);

/** A paragraph for screen readers. The same text twice in a row is read twice. */
export function announce(text) {
  byId("announcer").replaceChildren(make("p", {}, text));
}

const TOAST_MILLISECONDS = 7000;

export function toast(text, action = null) {
  const note = make("div", { class: "toast" }, make("span", {}, text));
  const leave = () => note.remove();
  let timer = setTimeout(leave, TOAST_MILLISECONDS);
  // Whoever is about to press the button must not have it taken away.
  const hold = () => clearTimeout(timer);
  const release = () => {
    clearTimeout(timer);
    timer = setTimeout(leave, TOAST_MILLISECONDS);
  };
  note.addEventListener("pointerenter", hold);
  note.addEventListener("focusin", hold);
  note.addEventListener("pointerleave", release);
  note.addEventListener("focusout", release);
  if (action) {
    const act = () => {
      leave();
      action.act();
    };
    note.append(textButton(action.name, act, "text-button"));
  }
  byId("toasts").replaceChildren(note);
}

/** Copies, and shows on the button that it did. */
export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not there on a page without TLS from another machine; the old way still is.
    if (!copyByHand(text)) {
      toast(say("copyFailed"));
      return;
    }
    button.focus();
  }
  announce(say("copied"));
  const shown = button.querySelector(".icon");
  if (!shown || button.dataset.done) return;
  button.dataset.done = "yes";
  const tick = icon("check");
  shown.replaceWith(tick);
  setTimeout(() => {
    tick.replaceWith(shown);
    delete button.dataset.done;
  }, 1400);
}

function copyByHand(text) {
  const box = make("textarea", { class: "unseen", "aria-hidden": "true", value: text });
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  return copied;
}

export function download(name, value) {
  const data = new Blob([JSON.stringify(value, null, 2)], { type: "application/json" });
  const address = URL.createObjectURL(data);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export function fillIcons(root) {
  for (const node of root.querySelectorAll("[data-icon]")) node.replaceChildren(icon(node.dataset.icon));
}

/** The frame every dialog shares: a heading, a button that closes, then the parts. */
export function fillDialog(dialog, titleId, title, ...parts) {
  const shut = iconButton("close", say("close"), () => dialog.close());
  dialog.replaceChildren(
    make("div", { class: "dialog-head" }, make("h2", { id: titleId }, title), shut),
    make("div", { class: "dialog-body" }, ...parts),
  );
}

/** A click on the dimmed page around a dialog closes it. */
export function closeOutside(dialog) {
  let pressed = false;
  const outside = (event) => {
    const box = dialog.getBoundingClientRect();
    return (
      event.target === dialog &&
      (event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom)
    );
  };
  dialog.addEventListener("pointerdown", (event) => (pressed = outside(event)));
  dialog.addEventListener("click", (event) => {
    if (pressed && outside(event)) dialog.close();
  });
}

// The board: a tile for every room, cards for phone, car and robot, one entry for each device.
//
//   const board = new Board(byId("tiles"));
//   board.show(home)                 all anew: { areas, devices, values, ... } of /assist/state
//   board.change(values, changed)    some devices: they light up, move and count

import { isList, isOn, looks } from "./assist_devices.js";
import { picture } from "./assist_pictures.js";
import { make } from "./dom.js";
import { language, say } from "./words.js";

const CARDS = {
  robot: ["robot"],
  phone: ["dialer", "messenger", "app", "level"],
  car: ["seat", "charger", "select"],
  scenes: ["scene"],
};
const ORDER = ["robot", "car", "phone"];
const COUNT_MILLISECONDS = 700;
const NUMBER = /-?\d+(?:\.\d+)?/;

export class Board {
  constructor(node) {
    this.node = node;
    this.items = new Map(); // id of a device: { device, node, texts }
    this.values = {};
    this.home = null;
  }

  show(home) {
    this.home = home;
    this.values = home.values;
    this.items.clear();
    this.node.replaceChildren(...this.groups().map((group) => this.tile(group)));
    for (const id of this.items.keys()) this.refresh(id);
    for (const tile of this.node.children) this.light(tile);
  }

  /** What belongs together, in the order it is shown: { name, kind, devices }. */
  groups() {
    const { areas, devices } = this.home;
    const hasCar = devices.some(({ domain }) => domain === "seat" || domain === "charger");
    const cardOf = ({ domain }) => {
      if (isList(domain) && domain !== "messenger") return "lists";
      if (domain === "navigator") return hasCar ? "car" : "phone";
      return Object.keys(CARDS).find((card) => CARDS[card].includes(domain)) ?? null;
    };
    const inCards = new Map();
    const inAreas = new Map();
    for (const device of devices) {
      const card = cardOf(device);
      const [groups, key] = card ? [inCards, card] : [inAreas, areas.some(({ id }) => id === device.area) ? device.area : ""];
      groups.set(key, [...(groups.get(key) ?? []), device]);
    }
    const card = (kind) => (inCards.has(kind) ? [{ name: say(kind), kind, devices: inCards.get(kind) }] : []);
    const room = ({ id, name }) => (inAreas.has(id) ? [{ name: name[language()], kind: "room", devices: inAreas.get(id) }] : []);
    const rest = inAreas.has("") ? [{ name: say("wholeHome"), kind: "room", devices: inAreas.get("") }] : [];
    return [...ORDER.flatMap(card), ...areas.flatMap(room), ...rest, ...card("lists"), ...card("scenes")];
  }

  tile({ name, kind, devices }) {
    const list = make("ul", { class: "devices" }, ...devices.map((device) => this.item(device)));
    return make("section", { class: `tile ${kind}`, "aria-label": name }, make("h2", {}, name), list);
  }

  item(device) {
    const name = make("span", { class: "device-name" }, device.name[language()]);
    const words = make("span", { class: "device-words" });
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    const lines = make("ul", { class: "lines" });
    const text = make("div", { class: "device-text" }, name, words, lines);
    const compass = device.domain === "robot" ? picture("compass") : null; // which way it looks
    const node = make("li", { class: `device ${device.domain}`, "data-id": device.id }, picture(device.domain, device.kind), text, compass, bar);
    this.items.set(device.id, { device, node, words, bar, lines, texts: new Map(), timer: null });
    return node;
  }

  change(values, changed) {
    Object.assign(this.values, values);
    const tiles = new Set();
    for (const id of Object.keys(values)) {
      const item = this.items.get(id);
      if (!item) continue;
      this.refresh(id, true);
      if (!changed[id]?.length) continue;
      item.node.classList.remove("changed");
      void item.node.offsetWidth; // so that the animation begins anew
      item.node.classList.add("changed");
      clearTimeout(item.timer);
      item.timer = setTimeout(() => item.node.classList.remove("changed"), 2000);
      tiles.add(item.node.closest(".tile"));
    }
    for (const tile of tiles) this.light(tile);
  }

  /** A room with a lamp on is a little brighter. */
  light(tile) {
    const lit = [...tile.querySelectorAll(".device.light")].some((node) => node.classList.contains("on"));
    tile.classList.toggle("lit", lit);
  }

  refresh(id, counting = false) {
    const item = this.items.get(id);
    const values = this.values[id] ?? {};
    const look = looks(item.device, values, language());
    const { node } = item;
    node.classList.toggle("on", isOn(item.device, values));
    if (look.state) node.dataset.state = look.state;
    const set = (name, value) => (value === null ? node.style.removeProperty(name) : node.style.setProperty(name, String(value)));
    set("--level", look.level);
    set("--open", look.open === null ? null : look.open / 100);
    set("--heading", look.heading === null ? null : `${look.heading}deg`);
    set("--glow", look.glow);
    item.bar.hidden = look.level === null || (!look.on && ["light", "fan", "humidifier", "media_player"].includes(item.device.domain));
    this.write(item, look.words, counting);
    const lines = look.lines === null ? [] : look.lines.length ? look.lines : [say("empty")];
    item.lines.hidden = !lines.length;
    item.lines.replaceChildren(...lines.map((line) => make("li", {}, line)));
  }

  write(item, words, counting) {
    const before = item.texts;
    item.texts = new Map();
    item.words.hidden = !words.length;
    item.words.replaceChildren(
      ...words.map(({ key, text }) => {
        const part = make("span", { class: "value", "data-key": key }, text);
        item.texts.set(key, text);
        if (counting && before.has(key) && before.get(key) !== text) count(part, before.get(key), text);
        return part;
      }),
    );
  }
}

/** Lets the number in a text run from what it was to what it is. */
function count(node, before, after) {
  const from = Number(NUMBER.exec(before)?.[0] ?? NaN);
  const found = NUMBER.exec(after);
  if (!found || Number.isNaN(from) || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const to = Number(found[0]);
  const digits = found[0].split(".")[1]?.length ?? 0;
  const began = performance.now();
  const step = (now) => {
    const part = Math.min((now - began) / COUNT_MILLISECONDS, 1);
    const value = part === 1 ? found[0] : (from + (to - from) * (1 - (1 - part) ** 3)).toFixed(digits);
    node.textContent = after.replace(NUMBER, value);
    if (part < 1 && node.isConnected) requestAnimationFrame(step);
    else node.textContent = after;
  };
  node.textContent = after.replace(NUMBER, before.match(NUMBER)[0]);
  requestAnimationFrame(step);
}

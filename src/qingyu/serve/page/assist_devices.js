// What a device shows of itself: whether it is on, its words, its bar, its colour.
//
//   const { on, words, level } = looks(device, values, "en")
//
// values: {"state" or attribute: { value, en, zh }} as the server gives them. Draws nothing.

const ON = {
  light: ["on"],
  switch: ["on"],
  fan: ["on"],
  humidifier: ["on"],
  water_heater: ["on"],
  binary_sensor: ["on"],
  cover: ["open"],
  valve: ["open"],
  lock: ["unlocked"],
  climate: ["cool", "heat", "auto", "dry", "fan_only"],
  media_player: ["playing"],
  vacuum: ["cleaning", "returning"],
  dialer: ["calling"],
  navigator: ["navigating"],
  charger: ["charging"],
  robot: ["walking", "following", "patrolling"],
};

// Attributes that are told after the state; "!" also while it is off.
const TOLD = {
  light: ["brightness", "color", "color_temperature"],
  fan: ["speed"],
  climate: ["temperature", "fan", "!current_temperature"],
  media_player: ["volume", "source"],
  vacuum: ["!battery"],
  humidifier: ["humidity", "mode", "!current_humidity"],
  water_heater: ["temperature", "!current_temperature"],
  seat: ["!heating", "!ventilation"],
  charger: ["!limit"],
  robot: ["!place", "!heading", "!moved", "!battery"],
  app: ["!open"],
};

// Of whose number the bar is drawn.
const BAR = {
  light: "brightness",
  fan: "speed",
  cover: "position",
  media_player: "volume",
  humidifier: "humidity",
  level: "state",
  charger: "limit",
  vacuum: "battery",
  robot: "battery",
};

const LISTS = { todo: "items", timer: "timers", alarm: "alarms", reminder: "reminders", calendar: "events", messenger: "sent" };

const COLORS = {
  red: "#f25c54",
  orange: "#f79d4d",
  yellow: "#f7d154",
  green: "#63c76a",
  cyan: "#4fd0d6",
  blue: "#5b8def",
  purple: "#a274e8",
  pink: "#f28bb8",
  white: "#fff3d6",
};

// What needs its name beside its number; of the others the number says enough.
const NAMED = new Set(["current_temperature", "current_humidity", "humidity", "volume", "limit", "battery", "heating", "ventilation", "heading", "moved", "fan"]);

export const isList = (domain) => domain in LISTS;

const valueOf = (values, key) => values[key]?.value;

export function isOn(device, values) {
  const { domain } = device;
  if (domain === "seat") return valueOf(values, "heating") > 0 || valueOf(values, "ventilation") > 0;
  if (domain === "app") return Boolean(valueOf(values, "open"));
  return (ON[domain] ?? []).includes(valueOf(values, "state"));
}

/** { on, state, words, lines, level, open, heading, glow }; level, open: 0 to 100, or null. */
export function looks(device, values, language) {
  const { domain, kind } = device;
  const on = isOn(device, values);
  const list = LISTS[domain];
  const state = valueOf(values, "state");
  const words = [];
  if (values.state) words.push({ key: "state", text: values.state[language] });
  for (const told of TOLD[domain] ?? []) {
    const key = told.replace("!", "");
    if ((!on && told === key) || !values[key] || values[key].value === "") continue;
    if (key === "color_temperature" && values.color && values.color.value !== "white") continue;
    const label = NAMED.has(key) ? `${device.labels[key]?.[language] ?? key} ` : "";
    words.push({ key, text: label + values[key][language] });
  }
  const position = valueOf(values, "position");
  if (domain === "cover" && position > 0 && position < 100) words.push({ key: "position", text: values.position[language] });
  if (domain === "media_player" && valueOf(values, "muted")) words.push({ key: "muted", text: device.labels.muted[language] });
  const number = BAR[domain] ? valueOf(values, BAR[domain]) : undefined;
  const level = typeof number === "number" ? Math.min(Math.max(number, 0), 100) : null;
  return {
    on,
    state: typeof state === "string" ? state : "",
    kind,
    words,
    lines: list && values[list] ? values[list][language].split("\n").filter(Boolean) : null,
    level,
    open: domain === "cover" ? (position ?? (on ? 100 : 0)) : null,
    heading: valueOf(values, "heading") ?? null,
    glow: domain === "light" ? glowOf(values) : null,
  };
}

function glowOf(values) {
  const name = valueOf(values, "color");
  if (name && name !== "white" && COLORS[name]) return COLORS[name];
  const kelvin = valueOf(values, "color_temperature");
  if (typeof kelvin !== "number") return COLORS[name] ?? "#ffd27a";
  const cold = Math.min(Math.max((kelvin - 2200) / 4300, 0), 1);
  const mixed = [255, 184, 96].map((warm, place) => Math.round(warm + ([214, 230, 255][place] - warm) * cold));
  return `rgb(${mixed.join(" ")})`;
}

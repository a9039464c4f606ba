// What the server tells of itself: model and memory, and the seal with its proof.
//
//   const panels = new Panels();
//   panels.openModel();  panels.openSeal();  await panels.refresh()

import { getJson, getText, readMetrics, settings } from "./api.js";
import { byId, closeOutside, copyText, fillDialog, iconButton, make } from "./dom.js";
import { icon } from "./icons.js";
import { bytes, number, say, sayOr } from "./words.js";

const LOOK_EVERY = 2000; // milliseconds, while the model panel is open

export class Panels {
  constructor() {
    this.model = null;
    this.seal = null;
    this.timer = null;
    for (const id of ["model-dialog", "seal-dialog", "shortcuts-dialog"]) closeOutside(byId(id));
    byId("model-dialog").addEventListener("close", () => clearInterval(this.timer));
    byId("model").addEventListener("click", () => this.openModel());
    byId("seal").addEventListener("click", () => this.openSeal());
  }

  /** The file's name without how it is quantized: "SmolLM2-135M-Instruct". */
  get name() {
    const name = settings.model ?? this.model?.id ?? "…";
    return name.replace(/[.-](?:i?q\d\w*|bf16|f16|f32)$/i, "");
  }

  get sealed() {
    return this.seal?.sealed === true;
  }

  /** Asks anew for what the badges show; raises Failure. */
  async refresh() {
    const [models, seal] = await Promise.all([getJson("/v1/models"), getJson("/seal")]);
    this.model = models.data[0];
    this.seal = seal;
    this.draw();
  }

  draw() {
    const lamp = make("span", { class: "lamp", "aria-hidden": "true" });
    byId("model").replaceChildren(icon("chip"), lamp, make("span", { class: "model-name" }, this.name));
    byId("model").setAttribute("aria-label", say("modelOf", { name: this.name }));
    const badge = byId("seal");
    badge.className = `seal-badge ${this.seal ? (this.sealed ? "on" : "off") : "unknown"}`;
    const short = this.seal ? say(this.sealed ? "sealed" : "notSealed") : say("sealUnknown");
    const long = this.sealed ? say("sealedLong") : short;
    badge.replaceChildren(
      icon(this.sealed ? "lock" : "open"),
      make("span", { class: "wide" }, long),
      make("span", { class: "short", "aria-hidden": "true" }, short),
    );
    badge.setAttribute("aria-label", long);
    if (byId("model-dialog").open) this.drawModel();
    if (byId("seal-dialog").open) this.drawSeal();
  }

  openModel() {
    this.drawModel();
    byId("model-dialog").showModal();
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), LOOK_EVERY);
    this.look();
  }

  async look() {
    try {
      this.metrics = readMetrics(await getText("/metrics"));
    } catch {
      return; // the page's own watch says when nobody answers
    }
    if (byId("model-dialog").open) this.drawModel();
  }

  drawModel() {
    const model = this.model;
    const dialog = byId("model-dialog");
    const list = this.facts ?? make("div", {});
    if (!this.facts || !dialog.contains(this.facts)) {
      this.facts = list;
      fillDialog(dialog, "model-title", say("model"), list);
    } else {
      dialog.querySelector("h2").textContent = say("model");
    }
    if (!model) {
      list.replaceChildren(make("p", {}, say("loading")));
      return;
    }
    const about = rows([
      ["name", settings.model ?? model.id],
      ["family", model.family],
      ["parameters", model.parameters && count(model.parameters)],
      ["weights", model.weight_bytes && bytes(model.weight_bytes)],
      ["context", model.context && say("contextTokens", { count: number(model.context) })],
      ["machine", model.instruction_set && `${model.instruction_set} · ${model.threads}`],
    ]);
    list.replaceChildren(about, ...(this.metrics ? this.live(this.metrics) : []));
  }

  live(values) {
    const of = (name) => values[`qingyu_${name}`] ?? 0;
    const used = of("kv_used_tokens");
    const total = of("kv_total_tokens");
    const text = say("ofTokens", { used: number(used), total: number(total) });
    return [
      make("h3", {}, say("memory")),
      rows([["resident", bytes(of("resident_memory_bytes"))]]),
      make(
        "div",
        { class: "gauge" },
        make("span", { id: "kv-label" }, say("kvUsed")),
        make("span", { class: "gauge-value" }, text),
        make("meter", { min: 0, max: Math.max(total, 1), value: used, "aria-labelledby": "kv-label" }, text),
      ),
      make("h3", {}, say("work")),
      rows([
        ["running", number(of("running_requests"))],
        ["waitingNow", number(of("waiting_requests"))],
        ["answered", number(of("generations_total"))],
        ["tokensWritten", number(of("generated_tokens_total"))],
        ["tokensRead", number(of("prompt_tokens_total"))],
        ["tokensReused", number(of("cached_tokens_total"))],
      ]),
    ];
  }

  openSeal() {
    this.drawSeal();
    byId("seal-dialog").showModal();
    // On the dialog itself: what is in it is drawn anew below, and the focus would go with it.
    byId("seal-dialog").tabIndex = -1;
    byId("seal-dialog").focus();
    // A probe may have been run since.
    this.refresh().catch(() => {});
  }

  drawSeal() {
    const parts = [];
    if (!this.seal) {
      parts.push(make("p", {}, say("loading")));
    } else {
      const { layers, probes } = this.seal;
      parts.push(
        make(
          "div",
          { class: `seal-head ${this.sealed ? "on" : "off"}` },
          icon(this.sealed ? "lock" : "open"),
          make("p", {}, say(this.sealed ? "sealedText" : "notSealedText")),
        ),
      );
      if (layers.length) parts.push(make("h3", {}, say("layers")), make("ul", { class: "layers" }, ...layers.map(layerItem)));
      parts.push(make("h3", {}, say("probes")), ...probeParts(probes));
    }
    fillDialog(byId("seal-dialog"), "seal-title", say("sealTitle"), ...parts);
  }
}

const rows = (pairs) =>
  make(
    "dl",
    { class: "rows" },
    ...pairs.filter(([, value]) => value).map(([words, value]) => make("div", {}, make("dt", {}, say(words)), make("dd", {}, String(value)))),
  );

/** 134515008 as 134.5 M. */
const count = (value) => (value >= 1e9 ? `${number(value / 1e9, 2)} B` : value >= 1e6 ? `${number(value / 1e6, 1)} M` : number(value));

function layerItem({ name, active, detail }) {
  const state = make("span", { class: "layer-state" }, say(active ? "layerOn" : "layerOff"));
  const what = make("p", {}, active ? sayOr(`layer_${name}`, say("layerRefuses", { what: detail })) : detail);
  const text = make("div", {}, make("strong", {}, name), state, what);
  return make("li", { class: active ? "on" : "off" }, icon(active ? "check" : "cross"), text);
}

function probeParts(probes) {
  if (!probes?.rows?.length) {
    const command = "qingyu doctor --network";
    const copy = iconButton("copy", say("copy"), () => copyText(command, copy));
    return [make("p", { class: "help" }, say("probesNone")), make("p", { class: "command" }, make("code", {}, command), copy)];
  }
  const head = make("tr", {}, ...["probe", "unlocked", "locked"].map((words) => make("th", { scope: "col" }, say(words))));
  const lines = probes.rows.map(({ name, title, outcomes }) =>
    make("tr", {}, make("th", { scope: "row" }, sayOr(`probe_${name}`, title || name)), outcome(outcomes.none, true), outcome(outcomes.all, false)),
  );
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines));
  return [make("p", { class: "help" }, say("probesText")), make("div", { class: "table probes", tabindex: 0, role: "region", "aria-label": say("probes") }, table)];
}

/** Getting out is what the control must do, being refused what the lock must do. */
function outcome(found, wanted) {
  const reached = found === "reached";
  if (found === "absent") return make("td", { class: "absent" }, say("probeAbsent"));
  const text = reached ? say("probeReached") : say("probeRefused", { error: found });
  return make("td", { class: reached === wanted ? "good" : "bad" }, icon(reached === wanted ? "check" : "cross"), text);
}

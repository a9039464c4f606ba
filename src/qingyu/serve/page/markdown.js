// Shows a model's Markdown as nodes. Text from the model is only ever text: no markup of its own
// is read, no picture is loaded, and only http(s) addresses become links.
//
//   const view = new Markdown(container);
//   view.show(text);          as often as text arrives: blocks that did not change are kept
//
// The dialect is what models write: headings, lists, quotes, tables, fenced code, emphasis.

import { copyText, iconButton, make } from "./dom.js";
import { coloured } from "./highlight.js";
import { say } from "./words.js";

const DEEPEST = 6; // quotes in lists in quotes: deeper is shown as text
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}>\s?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(?:\s+|$)/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

export class Markdown {
  constructor(container) {
    this.container = container;
    this.shown = [];
  }

  show(text) {
    const blocks = blocksOf(text.replace(/\r\n?/g, "\n").split("\n"));
    let same = 0;
    while (same < blocks.length && same < this.shown.length && blocks[same].source === this.shown[same].source) same += 1;
    for (const old of this.shown.splice(same)) old.node.remove();
    for (const block of blocks.slice(same)) {
      const node = nodeOf(block, 0);
      this.container.append(node);
      this.shown.push({ source: block.source, node });
    }
  }
}

/** Lines to blocks, each { kind, source, ... }. */
function blocksOf(lines) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const block = blockAt(lines, at);
    block.source = `${block.kind}\n${lines.slice(at, block.end).join("\n")}`;
    blocks.push(block);
    at = block.end;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return codeAt(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return { kind: "heading", level: heading[1].length, text: heading[2], end: at + 1 };
  if (RULE.test(line)) return { kind: "rule", end: at + 1 };
  if (QUOTE.test(line)) {
    let end = at;
    while (end < lines.length && QUOTE.test(lines[end])) end += 1;
    return { kind: "quote", lines: lines.slice(at, end).map((one) => one.replace(QUOTE, "")), end };
  }
  if (ITEM.test(line)) return listAt(lines, at);
  if (line.includes("|") && at + 1 < lines.length && lines[at + 1].includes("-") && TABLE_RULE.test(lines[at + 1])) {
    const table = tableAt(lines, at);
    if (table) return table;
  }
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !startsBlock(lines[end])) end += 1;
  return { kind: "paragraph", text: lines.slice(at, end).join("\n"), end };
}

const startsBlock = (line) =>
  FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);

function codeAt(lines, at, fence) {
  const indent = lines[at].search(/\S/);
  const close = new RegExp(`^\\s{0,3}${fence[1][0]}{${fence[1].length},}\\s*$`);
  let end = at + 1;
  while (end < lines.length && !close.test(lines[end])) end += 1;
  const body = lines.slice(at + 1, end).map((line) => line.slice(Math.min(indent, Math.max(line.search(/\S|$/), 0))));
  return { kind: "code", language: fence[2], text: body.join("\n"), end: Math.min(end + 1, lines.length) };
}

function listAt(lines, at) {
  const first = ITEM.exec(lines[at]);
  const base = first[1].length;
  const ordered = /\d/.test(first[2]);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const line = lines[end];
    const found = ITEM.exec(line);
    const indent = line.search(/\S/);
    if (found && indent <= base + 1 && !RULE.test(line)) {
      if (/\d/.test(found[2]) !== ordered) break;
      items.push([line.slice(found[0].length)]);
    } else if (indent === -1) {
      // An empty line belongs to the list when what follows does.
      const next = lines.slice(end + 1).find((one) => one.trim());
      const goesOn = next !== undefined && (next.search(/\S/) > base + 1 || (ITEM.exec(next)?.[1].length ?? -1) === base);
      if (!goesOn) break;
      items.at(-1).push("");
    } else if (indent > base || (lines[end - 1].trim() && !startsBlock(line))) {
      items.at(-1).push(line.slice(Math.min(indent, base + (ordered ? 3 : 2))));
    } else {
      break;
    }
    end += 1;
  }
  return { kind: "list", ordered, start: Number.parseInt(first[2], 10), items, end };
}

function cellsOf(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function tableAt(lines, at) {
  const head = cellsOf(lines[at]);
  const sides = cellsOf(lines[at + 1]).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "end") : "start"));
  if (head.length !== sides.length) return null;
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|") && lines[end].trim()) end += 1;
  return { kind: "table", head, sides, rows: lines.slice(at + 2, end).map(cellsOf), end };
}

function nodeOf(block, depth) {
  switch (block.kind) {
    case "heading":
      // The page's own headings are the first two levels.
      return make(`h${Math.min(block.level + 2, 6)}`, { class: `level-${block.level}` }, ...inline(block.text));
    case "rule":
      return make("hr");
    case "code":
      return codeBlock(block.text, block.language);
    case "quote":
      return make("blockquote", {}, ...nested(block.lines, depth));
    case "list": {
      const start = block.ordered && block.start !== 1 ? { start: block.start } : {};
      return make(block.ordered ? "ol" : "ul", start, ...block.items.map((lines) => make("li", {}, ...itemNodes(lines, depth))));
    }
    case "table":
      return tableNode(block);
    default:
      return make("p", {}, ...inline(block.text));
  }
}

function nested(lines, depth) {
  if (depth >= DEEPEST) return [make("p", {}, lines.join("\n"))];
  return blocksOf(lines).map((block) => nodeOf(block, depth + 1));
}

/** An item of one paragraph is text without a paragraph around it, so that lists stay tight. */
function itemNodes(lines, depth) {
  const task = /^\[([ xX])\]\s+/.exec(lines[0]);
  const rest = task ? [lines[0].slice(task[0].length), ...lines.slice(1)] : lines;
  const nodes = nested(rest, depth);
  if (nodes[0]?.tagName === "P") nodes.splice(0, 1, ...nodes[0].childNodes);
  return task ? [`${task[1] === " " ? "☐" : "☑"} `, ...nodes] : nodes;
}

export function codeBlock(text, language = "") {
  const copy = iconButton("copy", say("copyCode"), () => copyText(text, copy));
  const head = make("div", { class: "code-head" }, make("span", {}, language || say("code")), copy);
  const body = make("pre", { tabindex: 0, role: "region", "aria-label": `${say("code")} ${language}`.trim() });
  body.append(make("code", {}, ...coloured(text, language)));
  return make("div", { class: "code" }, head, body);
}

function tableNode({ head, sides, rows }) {
  const cell = (tag, text, place) => make(tag, { class: `side-${sides[place] ?? "start"}` }, ...inline(text));
  const line = (tag, cells) => make("tr", {}, ...head.map((_, place) => cell(tag, cells[place] ?? "", place)));
  const table = make("table", {}, make("thead", {}, line("th", head)), make("tbody", {}, ...rows.map((row) => line("td", row))));
  return make("div", { class: "table", tabindex: 0, role: "region", "aria-label": say("table") }, table);
}

// Inside a block ------------------------------------------------------------------------------

const MARKS = [
  ["***", "strong", "em"],
  ["___", "strong", "em"],
  ["**", "strong"],
  ["__", "strong"],
  ["~~", "s"],
  ["*", "em"],
  ["_", "em"],
];
const LETTER = /[\p{L}\p{N}]/u;

/** Text with emphasis, code and links to nodes. `absent`: marks that are not looked for (again). */
function inline(text, depth = 0, absent = new Set()) {
  const nodes = [];
  let plain = "";
  let at = 0;
  const put = (node) => {
    if (plain) nodes.push(document.createTextNode(plain));
    plain = "";
    nodes.push(node);
  };
  while (at < text.length) {
    const found = depth < DEEPEST ? spanAt(text, at, absent, depth) : null;
    if (!found) {
      plain += text[at];
      at += 1;
    } else {
      if (typeof found.node === "string") plain += found.node;
      else put(found.node);
      at = found.end;
    }
  }
  if (plain) nodes.push(document.createTextNode(plain));
  return nodes;
}

function spanAt(text, at, absent, depth) {
  const letter = text[at];
  if (letter === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) return { node: text[at + 1], end: at + 2 };
  if (letter === "\n") {
    // Models break lines where they mean to, so every one is kept.
    return { node: make("br"), end: at + 1 };
  }
  if (letter === "`") return codeSpan(text, at, absent);
  if (letter === "*" || letter === "_" || letter === "~") return emphasis(text, at, absent, depth);
  if (letter === "[" || (letter === "!" && text[at + 1] === "[")) return linkAt(text, at, absent, depth);
  if ((letter === "h" || letter === "<") && !absent.has("://")) return addressAt(text, at);
  return null;
}

function codeSpan(text, at, absent) {
  let length = 1;
  while (text[at + length] === "`") length += 1;
  const ticks = "`".repeat(length);
  if (absent.has(ticks)) return { node: ticks, end: at + length };
  let end = text.indexOf(ticks, at + length);
  while (end !== -1 && text[end + length] === "`") {
    while (text[end] === "`") end += 1;
    end = text.indexOf(ticks, end);
  }
  if (end === -1) {
    absent.add(ticks);
    return { node: ticks, end: at + length };
  }
  const inner = text.slice(at + length, end).replaceAll("\n", " ");
  const shown = inner.startsWith(" ") && inner.endsWith(" ") && inner.trim() ? inner.slice(1, -1) : inner;
  return { node: make("code", {}, shown), end: end + length };
}

function emphasis(text, at, absent, depth) {
  for (const [mark, outer, within] of MARKS) {
    if (!text.startsWith(mark, at) || absent.has(mark)) continue;
    const start = at + mark.length;
    if (!text[start] || /\s/.test(text[start])) continue;
    // snake_case is no emphasis.
    if (mark[0] === "_" && LETTER.test(text[at - 1] ?? "")) continue;
    let end = text.indexOf(mark, start + 1);
    while (end !== -1 && !closes(text, mark, end)) end = text.indexOf(mark, end + 1);
    if (end === -1) {
      absent.add(mark);
      continue;
    }
    const children = inline(text.slice(start, end), depth + 1);
    const inner = within ? [make(within, {}, ...children)] : children;
    return { node: make(outer, {}, ...inner), end: end + mark.length };
  }
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return { node: text.slice(at, end), end };
}

function closes(text, mark, end) {
  if (/\s/.test(text[end - 1])) return false;
  // A single mark does not close at half of a double one.
  if (mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark)) return false;
  return mark[0] !== "_" || !LETTER.test(text[end + mark.length] ?? "");
}

const MOST_ADDRESS = 2000;
const NO_LINKS = ["](", "://"];

function linkAt(text, at, absent, depth) {
  const picture = text[at] === "!";
  const open = at + (picture ? 2 : 1);
  if (absent.has("](")) return null;
  const middle = text.indexOf("](", open);
  if (middle === -1) {
    absent.add("](");
    return null;
  }
  if (text.slice(open, middle).includes("\n\n")) return null;
  let level = 0;
  let end = middle + 2;
  for (; end < text.length && end - middle < MOST_ADDRESS; end += 1) {
    if (text[end] === "(") level += 1;
    else if (text[end] === ")" && level-- === 0) break;
  }
  if (text[end] !== ")") return null;
  const label = text.slice(open, middle);
  const address = text.slice(middle + 2, end).trim().split(/\s/, 1)[0].replace(/^<(.*)>$/, "$1");
  // A link in a link would lead elsewhere than it says.
  const words = picture ? [`${say("image")}: ${label || address}`] : inline(label, depth + 1, new Set(NO_LINKS));
  return { node: link(address, words, label), end: end + 1 };
}

function addressAt(text, at) {
  const pointed = text[at] === "<";
  const found = /^https?:\/\/[^\s<>"`\u3000-\u303f\uff00-\uffef]{1,2000}/.exec(text.slice(at + (pointed ? 1 : 0), at + MOST_ADDRESS));
  if (!found || (!pointed && LETTER.test(text[at - 1] ?? ""))) return null;
  let address = found[0];
  if (pointed) {
    if (text[at + 1 + address.length] !== ">") return null;
    return { node: link(address, [address], address), end: at + address.length + 2 };
  }
  address = address.replace(/[.,;:!?'*_]+$/, "");
  if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
  return { node: link(address, [address], address), end: at + address.length };
}

/** A link that says where it leads; anything but http(s) stays text. */
function link(address, words, label) {
  let target = null;
  try {
    target = new URL(address);
  } catch {
    // Not a whole address.
  }
  if (!target || (target.protocol !== "http:" && target.protocol !== "https:")) return make("span", { class: "no-link" }, ...words);
  const node = make("a", { href: target.href, target: "_blank", rel: "noopener noreferrer", title: target.href }, ...words);
  if (label === address) return node;
  return make("span", {}, node, make("span", { class: "host" }, ` (${target.hostname})`));
}

// Colours code a little: comments, texts, numbers and common words, whatever the language.
//
//   node.append(...coloured("x = 1  # one", "python"))      text nodes and <span>s
//
// One pass over the text with one regular expression that cannot run back.

const KEYWORDS = new Set(
  (
    "and as assert async await break case catch class const continue def default del do elif else enum except export " +
    "extends extern finally fn for from function global if impl import in interface is lambda let loop match mod module " +
    "mut namespace new nonlocal not or package pass private protected pub public raise return self static struct super " +
    "switch this throw throws trait try type typedef typeof union use using var void while with yield " +
    "int float double char bool boolean string long short unsigned auto " +
    "select insert update delete where join group order by create table values into " +
    "echo fi then done esac local true false null none undefined nil"
  ).split(" "),
);
const HASH = new Set(["python", "py", "sh", "bash", "shell", "zsh", "console", "ruby", "rb", "yaml", "yml", "toml", "r", "perl", "makefile", "dockerfile", ""]);
const DASHES = new Set(["sql", "lua", "haskell", "hs", "ada"]);
const MOST = 40_000;

const TEXTS = String.raw`"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?`;
const NUMBER = String.raw`\b\d[\w.]*`;
const WORD = String.raw`[A-Za-z_$][\w$]*`;

function pattern(language) {
  let comment = String.raw`\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`;
  if (HASH.has(language)) comment = String.raw`#[^\n]*`;
  if (DASHES.has(language)) comment = String.raw`--[^\n]*`;
  return new RegExp(`(${comment})|("""[\\s\\S]*?(?:"""|$)|${TEXTS})|(${NUMBER})|(${WORD})`, "g");
}

const span = (kind, text) => {
  const node = document.createElement("span");
  node.className = kind;
  node.textContent = text;
  return node;
};

export function coloured(code, language = "") {
  const name = language.toLowerCase();
  if (code.length > MOST || name === "text" || name === "markdown" || name === "md") return [document.createTextNode(code)];
  const json = name === "json";
  const nodes = [];
  let done = 0;
  const put = (kind, start, text) => {
    if (start > done) nodes.push(document.createTextNode(code.slice(done, start)));
    nodes.push(span(kind, text));
    done = start + text.length;
  };
  for (const found of code.matchAll(pattern(name))) {
    const [text, comment, quoted, digits, word] = found;
    if (comment) {
      // JSON has no comments, and "https://" is none in the middle of a text.
      if (!json) put("code-comment", found.index, text);
    } else if (quoted) {
      const key = json && /^\s*:/.test(code.slice(found.index + text.length, found.index + text.length + 20));
      put(key ? "code-key" : "code-text", found.index, text);
    } else if (digits) {
      put("code-number", found.index, text);
    } else if (KEYWORDS.has(word.toLowerCase())) {
      put("code-word", found.index, text);
    } else if (code[found.index + text.length] === "(") {
      put("code-call", found.index, text);
    }
  }
  if (done < code.length) nodes.push(document.createTextNode(code.slice(done)));
  return nodes;
}

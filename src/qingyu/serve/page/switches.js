// The two switches every page has: colours and language.
//
//   startSwitches(store, redraw)      redraw: after the language has changed
//   drawSwitches()

import { byId } from "./dom.js";
import { icon } from "./icons.js";
import { language, say, useLanguage } from "./words.js";

const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

export function drawSwitches() {
  const theme = byId("theme");
  const label = say(isDark() ? "themeLight" : "themeDark");
  theme.replaceChildren(icon(isDark() ? "sun" : "moon"));
  theme.setAttribute("aria-label", label);
  theme.title = label;
  const other = byId("language");
  other.textContent = say("languageName");
  other.lang = language() === "zh" ? "en" : "zh-CN";
  other.setAttribute("aria-label", say("languageSwitch"));
}

export function startSwitches(store, redraw) {
  byId("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    store.prefer({ theme });
    drawSwitches();
  });
  byId("language").addEventListener("click", () => {
    useLanguage(language() === "zh" ? "en" : "zh");
    store.prefer({ language: language() });
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSwitches);
}

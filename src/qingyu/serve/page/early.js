// Runs before the first paint, so that neither the colours nor the language flash.
(() => {
  let preferences = {};
  try {
    preferences = JSON.parse(localStorage.getItem("qingyu.preferences")) || {};
  } catch {
    // No storage, or not ours: the browser's own settings stand.
  }
  const root = document.documentElement;
  if (preferences.theme === "light" || preferences.theme === "dark") root.dataset.theme = preferences.theme;
  const language = preferences.language || navigator.language || "en";
  root.lang = language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
})();

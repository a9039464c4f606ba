// The page's icons: strokes on a 24 by 24 grid, built as nodes.
//
//   button.append(icon("copy"))

const PATHS = {
  plus: "M12 5v14M5 12h14",
  up: "M12 19V5.500M6 11.500l6-6 6 6",
  down: "M12 5v13.500M6 12.500l6 6 6-6",
  left: "M14 7l-5 5 5 5",
  right: "M10 7l5 5-5 5",
  stop: "M7.500 7.500h9v9h-9z",
  copy: "M9 9h10.500v10.500H9zM15 9V4.500H4.500V15H9",
  check: "M5 12.500l4.500 4.500L19 7.500",
  cross: "M7 7l10 10M17 7L7 17",
  close: "M6 6l12 12M18 6L6 18",
  edit: "M4.500 19.500l1-4.500L16 4.500l3.500 3.500L9 18.500zM13.500 7l3.500 3.500",
  retry: "M18.700 13.500A7 7 0 1 1 17 7.100L19.500 9.500M19.500 4.500v5h-5",
  trash: "M4.500 7h15M9.500 7V4.500h5V7M6.500 7l.8 12.500h9.400L17.500 7M10.500 11v5M13.500 11v5",
  menu: "M4 7h16M4 12h16M4 17h10",
  sliders: "M4 8h8.500M17.500 8H20M4 16h2.500M11.500 16H20M12.500 8a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0M6.500 16a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0",
  lock: "M5.500 11h13v9h-13zM8 11V8a4 4 0 0 1 8 0v3M12 14.500v2",
  open: "M5.500 11h13v9h-13zM8 11V7.500a4 4 0 0 1 7.600-1.700M12 14.500v2",
  sun: "M8 12a4 4 0 1 0 8 0 4 4 0 1 0-8 0M12 3v1.500M12 19.500V21M3 12h1.500M19.500 12H21M5.600 5.600l1.100 1.100M17.300 17.300l1.100 1.100M18.400 5.600l-1.100 1.100M6.700 17.300l-1.100 1.100",
  moon: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10z",
  download: "M12 4v11M7.500 10.500L12 15l4.500-4.500M5 19.500h14",
  search: "M5 10.500a5.500 5.500 0 1 0 11 0 5.500 5.500 0 1 0-11 0M14.500 14.500L19.500 19.500",
  keyboard: "M3.500 6.500h17v11h-17zM7 10h.01M10.300 10h.01M13.700 10h.01M17 10h.01M7.500 14h9",
  braces: "M9 4.500c-2.500 0-3 1-3 3v2c0 1.500-.8 2.500-2 2.500 1.200 0 2 1 2 2.500v2c0 2 .5 3 3 3M15 4.500c2.500 0 3 1 3 3v2c0 1.500.8 2.500 2 2.500-1.200 0-2 1-2 2.500v2c0 2-.5 3-3 3",
  chip: "M7 7h10v10H7zM10.500 10.500h3v3h-3zM9.500 7V4M14.500 7V4M9.500 20v-3M14.500 20v-3M7 9.500H4M7 14.500H4M20 9.500h-3M20 14.500h-3",
  person: "M8.500 8a3.500 3.500 0 1 0 7 0 3.500 3.500 0 1 0-7 0M5 19.500c.8-3.700 3.500-5.500 7-5.500s6.200 1.800 7 5.500",
  clock: "M4 12a8 8 0 1 0 16 0 8 8 0 1 0-16 0M12 7.500v5l3 2",
  book: "M5 5.500c2.500-1.300 5-1 7 .7 2-1.700 4.500-2 7-.7v13c-2.500-1.300-5-1-7 .7-2-1.700-4.500-2-7-.7zM12 6.200v13",
  chat: "M4.500 5.500h15v10.500h-8.500L7 19.500V16H4.500zM8.500 9.500h7M8.500 12.500h4.500",
  warning: "M12 4.500l8.500 15h-17zM12 10v4.500M12 17v.01",
};

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element that assistive technology passes over; the button around it has the name. */
export function icon(name) {
  if (!(name in PATHS)) throw new Error(`no icon ${name}`);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

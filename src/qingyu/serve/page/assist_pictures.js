// Pictures of devices: strokes on a 24 by 24 grid. What moves has a class; assist_tiles.css moves
// it by the classes and the variables (--level, --open, --heading) of the device around it.
//
//   item.append(picture("cover", "curtain"))

const SVG = "http://www.w3.org/2000/svg";

// [what moves, path]; "" is still.
const PICTURES = {
  light: [
    ["glow", "M12 3.500a6 6 0 0 0-3.500 10.900c.6.500 1 1.200 1 2V17h5v-.6c0-.8.400-1.500 1-2A6 6 0 0 0 12 3.500z"],
    ["", "M10 20h4"],
  ],
  switch: [["", "M12 4v7M7.500 6.800a7 7 0 1 0 9 0"]],
  curtain: [
    ["", "M3.500 4.500h17M5 20h14"],
    ["left panel", "M4.500 5h7.500v14H4.500z"],
    ["right panel", "M12 5h7.500v14H12z"],
  ],
  blind: [
    ["", "M4 4.500h16M5 20h14"],
    ["down panel", "M5 5h14v14H5zM5 8.500h14M5 12h14M5 15.500h14"],
  ],
  window: [
    ["", "M4.500 4.500h15v15h-15z"],
    ["slide panel", "M5.500 5.500h13v13h-13zM12 5.500v13"],
  ],
  gate: [
    ["", "M3.500 20V8L12 3.500 20.500 8v12"],
    ["down panel", "M6 10h12v10H6zM6 13.300h12M6 16.600h12"],
  ],
  climate: [
    ["", "M3.500 5.500h17v6h-17zM6.500 9h7"],
    ["air", "M7 14.500c1.500 1.500-1.500 3 0 4.500M12 14.500c1.500 1.500-1.500 3 0 4.500M17 14.500c1.500 1.500-1.500 3 0 4.500"],
  ],
  fan: [
    ["spin", "M12 12c-3-1.500-4.500-7 0-8 3 0 2.500 5 0 8zM12 12c3-1.500 8-.5 7 4-1 3-5.500.5-7-4zM12 12c0 3-4 7-7.500 4-2-2.500 2.500-5 7.500-4z"],
  ],
  lock: [
    ["", "M5.500 11h13v9h-13zM12 14.500v2"],
    ["shackle", "M8 11V8a4 4 0 0 1 8 0v3"],
  ],
  media_player: [
    ["bar", "M6 19V9"],
    ["bar second", "M10 19V5"],
    ["bar third", "M14 19v-9"],
    ["bar", "M18 19V7"],
  ],
  vacuum: [
    ["", "M3.500 20h17"],
    ["rover", "M7 12.500a5 5 0 0 1 10 0v3.500H7zM12 10.500v.01"],
  ],
  valve: [
    ["", "M4 9.500h9v4H4zM8.500 9.500V6M6 6h5M13 11.500c3.500 0 4.500 1 4.500 3.500"],
    ["drop", "M17.500 17c1 1.400 1 2.500 0 3-1-.5-1-1.600 0-3z"],
  ],
  humidifier: [
    ["", "M6.500 12h11l-1 8h-9z"],
    ["air", "M9 9c-1-1.500 1-2.500 0-4M12 9c-1-1.500 1-2.500 0-4M15 9c-1-1.500 1-2.500 0-4"],
  ],
  water_heater: [
    ["", "M7 4h10v13H7zM9.500 17v3M14.500 17v3"],
    ["air", "M12 8c2 2 2 4.500 0 5.500-2-1-2-3.500 0-5.500z"],
  ],
  sensor: [["", "M4.500 16a7.500 7.500 0 0 1 15 0M12 16l3.500-4.500M4.500 19h15"]],
  binary_sensor: [
    ["", "M5 12a7 7 0 1 0 14 0 7 7 0 1 0-14 0"],
    ["dot", "M9.500 12a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0"],
  ],
  seat: [
    ["", "M8 4l2 9h7v4H8L5.500 6z"],
    ["air", "M12.500 10.500c-1-1.500 1-2.500 0-4M16 10.500c-1-1.500 1-2.500 0-4"],
  ],
  charger: [["bolt", "M13 3.500L6 13.500h5l-1 7 7-10h-5z"]],
  compass: [
    ["", "M4 12a8 8 0 1 0 16 0 8 8 0 1 0-16 0"],
    ["needle", "M12 6l3 9-3-1.800-3 1.800z"],
  ],
  navigator: [["needle", "M12 3.500l6 16-6-3.500-6 3.500z"]],
  dialer: [["ring", "M6 4.500h4l1.500 4-2 1.500a11 11 0 0 0 4.500 4.500l1.500-2 4 1.500v4c-8 1.500-15-5.500-13.500-13.500z"]],
  messenger: [["", "M4 5.500h16v11h-9L7 20v-3.500H4zM8 9.500h8M8 12.500h5"]],
  app: [["", "M5 5h5.500v5.500H5zM13.500 5H19v5.500h-5.500zM5 13.500h5.500V19H5zM13.500 13.500H19V19h-5.500z"]],
  level: [["", "M4 8h8.500M17.500 8H20M4 16h2.500M11.500 16H20M12.500 8a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0M6.500 16a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0"]],
  select: [["", "M4.500 12a7.500 7.500 0 1 0 15 0 7.500 7.500 0 1 0-15 0M12 12V6.500"]],
  robot: [
    ["dog", "M5 9.500h11l1-3 3.500 1-.5 3h-2.500v3.500H6L5 9.500zM5 9.500L3.500 7M7.500 14v5M10 14v5M14 14v5M16.500 14v5"],
  ],
  scene: [["", "M12 4l2.300 5 5.200.6-3.900 3.700 1 5.400L12 16l-4.600 2.700 1-5.400L4.500 9.600 9.700 9z"]],
  todo: [["", "M4.500 6.500l1.500 1.500 2.500-3M4.500 13l1.500 1.500 2.500-3M4.500 19.500h3M11.500 6.500h8M11.500 13h8M11.500 19.500h8"]],
  timer: [["", "M5 13.500a7 7 0 1 0 14 0 7 7 0 1 0-14 0M12 13.500V9.500M9.500 3.500h5"]],
  alarm: [["ring", "M5 13a7 7 0 1 0 14 0 7 7 0 1 0-14 0M12 9v4l3 1.500M4 6.500L7 4M20 6.500L17 4"]],
  reminder: [["ring", "M12 4a5 5 0 0 0-5 5v4l-1.500 3h13L17 13V9a5 5 0 0 0-5-5zM10.500 19h3"]],
  calendar: [["", "M4.500 6h15v13.500h-15zM4.500 10h15M8.500 4v3M15.500 4v3"]],
};

const COVERS = {
  curtain: "curtain",
  blind: "blind",
  shade: "blind",
  window: "window",
  sunroof: "window",
  garage: "gate",
  gate: "gate",
  door: "gate",
  boot: "gate",
};

/** An SVG element that assistive technology passes over: what it shows stands beside it. */
export function picture(domain, kind = "") {
  const name = domain === "cover" ? (COVERS[kind] ?? "curtain") : domain;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon picture");
  svg.setAttribute("aria-hidden", "true");
  for (const [moves, strokes] of PICTURES[name] ?? PICTURES.sensor) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", strokes);
    if (moves) path.setAttribute("class", moves);
    svg.append(path);
  }
  return svg;
}

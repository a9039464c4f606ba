// Measures the page from inside; browser.py calls these.
({
  // Text with less contrast than WCAG AA asks for (4.5, or 3 when large), as [ratio, text].
  // Colours are drawn on a canvas of one pixel, so that any notation can be read.
  faintText() {
    const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
    const background = (node) => {
      if (!node) return [255, 255, 255];
      const own = rgba(getComputedStyle(node).backgroundColor);
      return own[3] === 1 ? own.slice(0, 3) : over(own, background(node.parentElement));
    };
    const light = (colour) => {
      const part = colour.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode.parentElement;
      const text = walker.currentNode.textContent.trim();
      const style = getComputedStyle(node);
      if (!text || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      if (node.closest("noscript, .unseen, option, [disabled], .skip")) continue;
      const below = background(node);
      const both = [light(over(rgba(style.color), below)), light(below)];
      const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
      const large = parseFloat(style.fontSize) >= 24;
      if (ratio < (large ? 3 : 4.5)) found.push([Math.round(ratio * 100) / 100, text.slice(0, 60)]);
    }
    return found;
  },

  // Ids used twice, references that lead nowhere, and controls too small to hit (WCAG 2.2: 24 px).
  brokenMarkup() {
    const found = [];
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    for (const id of ids) if (ids.filter((one) => one === id).length > 1) found.push(`id twice: ${id}`);
    for (const name of ["for", "aria-labelledby", "aria-describedby", "aria-controls"])
      for (const node of document.querySelectorAll(`[${name}]`))
        for (const id of node.getAttribute(name).split(" "))
          if (!document.getElementById(id) && !node.matches("dialog:not([open])")) found.push(`${name} leads nowhere: ${id}`);
    for (const node of document.querySelectorAll("button, input, select, summary")) {
      if (!node.checkVisibility()) continue;
      const { width, height } = node.getBoundingClientRect();
      if (width < 24 || height < 24) found.push(`small: ${node.outerHTML.slice(0, 80)} ${width}x${height}`);
    }
    return found;
  },
})

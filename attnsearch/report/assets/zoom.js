// Zoom: a part of a chart as large as the whole. By dragging, by buttons and by keys.

// How each chart is drawn again, by the name of its holder.
const redraws = new Map();

const CLOSEST = 1e-4;

// What lies between two places of `plot`, in pixels, as large as the whole chart.
function zoomTo(holder, plot, across, up) {
  const part = (scaled, places, [low, high]) =>
    places.map((place) => Math.min(high, Math.max(low, scaled.invert(place)))).sort((a, b) => a - b);
  const shown = { x: part(plot.x, across, plot.whole.x), y: part(plot.y, up, plot.whole.y) };
  const share = (name) => (shown[name][1] - shown[name][0]) / (plot.whole[name][1] - plot.whole[name][0]);
  if (Math.min(share("x"), share("y")) < CLOSEST) return;
  showPart(holder.id, share("x") > 0.999 && share("y") > 0.999 ? null : shown);
}

function showPart(id, part) {
  if (part === null) zoomed.delete(id); else zoomed.set(id, part);
  redraws.get(id)?.();
  remember();
}

const CLOSER = 0.6;

// Factors below 1 show less: of the horizontal axis, then of the vertical one, around what is read or the middle.
function zoomBy(holder, plot, [across, up]) {
  const around = (factor, middle, [from, to]) => [from, to].map((end) => middle + factor * (end - middle));
  const [left, height] = plot.reading() ?? [(plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2];
  zoomTo(holder, plot, around(across, left, [plot.left, plot.right]), around(up, height, [plot.bottom, plot.top]));
}

// A part of a chart that is moved until `middle` is its own, as far as the `whole` reaches.
function slid([from, to], middle, whole) {
  const half = Math.abs(to - from) / 2;
  const centre = Math.max(Math.min(...whole) + half, Math.min(Math.max(...whole) - half, middle));
  return [from, to].map((end) => end - (from + to) / 2 + centre);
}

// Buttons below a chart; `draw` draws it again.
function chartTools(id, name, draw) {
  redraws.set(id, draw);
  const holder = find(id);
  const tools = add(holder.parentNode, "div", { class: "tools", role: "group", "aria-label": `${name}: zoom and download` });
  holder.after(tools);
  const button = (text, label, act) => {
    add(tools, "button", { type: "button", class: "small-button", "aria-label": `${label}: ${name}`, title: label }, text)
      .addEventListener("click", () => { if (holder.plot !== undefined) act(holder.plot); });
  };
  button("+", "Zoom in", (plot) => zoomBy(holder, plot, ZOOMS["+"]));
  button("−", "Zoom out", (plot) => zoomBy(holder, plot, ZOOMS["-"]));
  button("Whole", "Show the whole chart", () => showPart(id, null));
  button("SVG", "Download SVG", (plot) => saveAs(`${fileStem(name)}.svg`, "image/svg+xml", svgOf(plot.svg, find(`${id}-legend`))));
  keep(`zoom-${id}`, () => {
    const part = zoomed.get(id);
    return part ? [[...part.x, ...part.y].map((end) => Number(end.toPrecision(5))).join("~")] : [];
  }, ([text]) => {
    const ends = (text ?? "").split("~").map(Number);
    if (ends.length === 4 && ends.every(Number.isFinite)) zoomed.set(id, { x: ends.slice(0, 2), y: ends.slice(2) });
    else zoomed.delete(id);
  });
}

// A rectangle that is dragged over the chart becomes the whole; a flat one, along one axis alone.
function dragToZoom(holder, plot) {
  const { svg } = plot;
  const place = (event) => {
    const box = svg.getBoundingClientRect(), shrunk = plot.width / box.width;
    return [(event.clientX - box.left) * shrunk, (event.clientY - box.top) * shrunk];
  };
  let from = null, frame = null;
  const ends = (to) => {
    const [wide, tall] = [0, 1].map((axis) => Math.abs(to[axis] - from[axis]));
    const along = wide >= 8 && tall >= 12 || tall < 12;
    const upright = tall >= 12;
    return {
      across: along && wide >= 8 ? [from[0], to[0]] : [plot.left, plot.right],
      up: upright ? [from[1], to[1]] : [plot.bottom, plot.top],
      large: wide >= 8 || tall >= 12,
    };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    from = place(event);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => {
    if (from === null || event.buttons !== 1) return;
    const { across, up, large } = ends(place(event));
    if (!large) return;
    hideTip();
    frame ??= add(svg, "rect", { class: "frame" });
    frame.setAttribute("x", Math.min(...across));
    frame.setAttribute("y", Math.min(...up));
    frame.setAttribute("width", Math.abs(across[1] - across[0]));
    frame.setAttribute("height", Math.abs(up[1] - up[0]));
  });
  svg.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const { across, up, large } = ends(place(event));
    from = null;
    frame?.remove();
    frame = null;
    if (large) zoomTo(holder, plot, across, up);
  });
  svg.addEventListener("pointerleave", () => { from = null; frame?.remove(); frame = null; });
  svg.addEventListener("dblclick", () => showPart(holder.id, null));
}

// Keys that every chart knows: + and - for both axes, x and y for one, with Shift for more of it, 0 for the whole.
const ZOOMS = {
  "+": [CLOSER, CLOSER], "=": [CLOSER, CLOSER], "-": [1 / CLOSER, 1 / CLOSER],
  x: [CLOSER, 1], X: [1 / CLOSER, 1], y: [1, CLOSER], Y: [1, 1 / CLOSER],
};

function zoomKeys(holder, plot) {
  plot.svg.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ZOOMS) zoomBy(holder, plot, ZOOMS[event.key]);
    else if (event.key === "0") showPart(holder.id, null);
    else return;
    event.preventDefault();
  });
}

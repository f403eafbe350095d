// Scales, axes and marks: what every chart is drawn with.

const DASHES = ["none", "7 4", "2 3", "10 3 2 3", "12 5", "4 2"];

// Of one area, about; triangles are kept for censored runs.
const SHAPES = [
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (r) => polygon([[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]], r),
  (r) => polygon([[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]], r),
  (r) => polygon([[-.4, -1.2], [.4, -1.2], [.4, -.4], [1.2, -.4], [1.2, .4], [.4, .4], [.4, 1.2],
    [-.4, 1.2], [-.4, .4], [-1.2, .4], [-1.2, -.4], [-.4, -.4]], r),
  (r) => polygon([...Array(10).keys()].map((k) => {
    const length = k % 2 ? 0.55 : 1.35;
    return [length * Math.sin(k * Math.PI / 5), -length * Math.cos(k * Math.PI / 5)];
  }), r),
  (r) => polygon([[-1.1, 0], [-0.55, -1], [0.55, -1], [1.1, 0], [0.55, 1], [-0.55, 1]], r),
];
const TRIANGLE = (r) => polygon([[0, -1.15], [1.15, 0.9], [-1.15, 0.9]], r);

const polygon = (points, r) => `M${points.map(([x, y]) => `${x * r} ${y * r}`).join("L")}z`;
const shape = (index) => SHAPES[index % SHAPES.length];
const series = (index) => `series-${index % 7}`;

function scale([low, high], [from, to], log) {
  const position = log ? Math.log : (value) => value;
  const [a, b] = [position(low), position(high)];
  const at = (value) => from + (position(value) - a) / (b - a || 1) * (to - from);
  at.invert = (place) => {
    const value = a + (place - from) / (to - from) * (b - a);
    return log ? Math.exp(value) : value;
  };
  return at;
}

function ticks([low, high], log, most) {
  if (!log) {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const first = Math.ceil(low / step - 1e-9);
    return [...Array(Math.floor(high / step + 1e-9) - first + 1).keys()].map((k) => (first + k) * step);
  }
  const within = (factors) => {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const factor of factors) found.push(factor * 10 ** power);
    }
    return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  };
  return [[1, 2, 5], [1, 3], [1]].map(within).find((found) => found.length <= most) ?? within([1]);
}

const short = (value) => Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 });

// Which part of a chart is shown, by the name of its holder; all of it where there is no entry.
const zoomed = new Map();

// An empty chart in `holder`: `x` and `y` are { domain, log, label }. Answers scales and layers to draw on: what
// lies in `area` is cut off at the edges of the part that is shown.
function chart(holder, { height, x, y, label, role = "application", left = 52, right = 12, top = 22 }) {
  const focused = holder.firstChild !== null && holder.firstChild === document.activeElement;
  holder.replaceChildren();
  const width = Math.max(holder.clientWidth, 120);
  const bottom = 40;
  const svg = add(holder, "svg", {
    role, "aria-label": label, "aria-roledescription": "chart", viewBox: `0 0 ${width} ${height}`, height,
  });
  const shown = zoomed.get(holder.id) ?? { x: x.domain, y: y.domain };
  const across = scale(shown.x, [left, width - right], x.log);
  const up = scale(shown.y, [height - bottom, top], y.log);
  const frame = add(svg, "g", { "aria-hidden": "true" });
  for (const value of ticks(shown.y, y.log, Math.max(3, height / 45))) {
    const place = up(value);
    add(frame, "line", { class: "grid", x1: left, x2: width - right, y1: place, y2: place });
    add(frame, "text", { x: left - 6, y: place + 4, "text-anchor": "end" }, short(value));
  }
  for (const value of ticks(shown.x, x.log, Math.max(2, (width - left) / 70))) {
    const place = across(value);
    add(frame, "line", { class: "axis", x1: place, x2: place, y1: height - bottom, y2: height - bottom + 5 });
    add(frame, "text", { x: place, y: height - bottom + 18, "text-anchor": "middle" }, short(value));
  }
  add(frame, "line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom });
  add(frame, "text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, x.label);
  add(frame, "text", { class: "title", x: 0, y: 11 }, y.label);
  // A little wider than the axes, so that no line is halved that runs along them.
  add(add(svg, "clipPath", { id: `${holder.id}-area` }), "rect", {
    x: left - 3, y: top - 3, width: width - left - right + 6, height: height - bottom - top + 6,
  });
  const area = add(svg, "g", { "clip-path": `url(#${holder.id}-area)` });
  if (focused) {
    // Keys that are held down go on with the new drawing.
    svg.setAttribute("tabindex", 0);
    svg.focus({ preventScroll: true });
  }
  return {
    svg, area, x: across, y: up, left, right: width - right, top, bottom: height - bottom, width,
    whole: { x: x.domain, y: y.domain }, labels: { x: x.label, y: y.label },
  };
}

const within = (place, [one, other]) => place >= Math.min(one, other) - 1 && place <= Math.max(one, other) + 1;

// A path through points, with gaps where a value is none.
function path(points, x, y) {
  let pen = "M";
  let drawing = "";
  for (const [across, up] of points) {
    if (!Number.isFinite(up)) { pen = "M"; continue; }
    drawing += `${pen}${x(across).toFixed(1)} ${y(up).toFixed(1)}`;
    pen = "L";
  }
  return drawing;
}

// With `toggle`, { off, flip }, the entry is a button that hides and shows what it names.
function legendEntry(list, drawMark, text, toggle = null) {
  const entry = add(list, "li", { class: toggle?.off ? "off" : "" });
  const inner = toggle === null ? entry : add(entry, "button", { type: "button", "aria-pressed": !toggle.off });
  if (toggle !== null) inner.addEventListener("click", toggle.flip);
  const svg = add(inner, "svg", { width: 26, height: 14, viewBox: "-13 -7 26 14", "aria-hidden": "true" });
  drawMark(svg);
  add(inner, "span", {}, text);
  return entry;
}

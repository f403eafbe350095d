// Reading a chart: the nearest curve in words, by pointer and by keys alike.

// Where the keys are reading, by the name of the chart: a curve's name and a place along it.
const readings = new Map();

// Makes `plot` one to look into. `curves` are { name, points, stairs, element, told(x, y), open }: the nearest to
// the pointer, or the one that the arrow keys have come to, is told.
function explore(holder, plot, curves, { drag = true } = {}) {
  const { svg } = plot;
  holder.plot = plot;
  svg.setAttribute("tabindex", 0);
  const known = curves.filter(({ points }) => points.length);
  const at = (curve, value) => {
    const { points } = curve;
    let low = 0, high = points.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (points[middle][0] <= value) low = middle; else high = middle - 1;
    }
    const nearer = !curve.stairs && low + 1 < points.length && points[low + 1][0] - value < value - points[low][0];
    return nearer ? low + 1 : low;
  };
  const place = (curve, index) => [plot.x(Math.max(curve.points[index][0], plot.first ?? -Infinity)), plot.y(curve.points[index][1])];
  let mark = null;
  const point = (curve) => {
    for (const one of curves) one.element?.classList.toggle("pointed", one === curve);
    svg.classList.toggle("pointing", curve !== null);
  };
  const tell = (curve, index, spoken) => {
    const [across, up] = place(curve, index);
    const box = svg.getBoundingClientRect(), shrunk = box.width / plot.width;
    const text = `${curve.name}\n${curve.told(...curve.points[index])}`;
    mark ??= add(svg, "circle", { class: "reading", r: 4 });
    mark.setAttribute("cx", across);
    mark.setAttribute("cy", up);
    point(curve);
    showTip(text, box.left + across * shrunk, box.top + up * shrunk);
    if (spoken) say(text.replaceAll("\n", ", "));
  };
  const leave = () => { mark?.remove(); mark = null; point(null); hideTip(); };
  const nearest = (across, up, reach = 40) => {
    const value = plot.x.invert(across);
    let best = null;
    for (const curve of known) {
      const index = at(curve, value), [left, height] = place(curve, index);
      const far = Math.hypot(curve.stairs ? 0 : left - across, height - up);
      if (best === null || far < best.far) best = { curve, index, far };
    }
    return best !== null && best.far < reach ? best : null;
  };
  let under = null;
  svg.addEventListener("pointermove", (event) => {
    if (event.buttons) return;
    const box = svg.getBoundingClientRect(), shrunk = plot.width / box.width;
    under = nearest((event.clientX - box.left) * shrunk, (event.clientY - box.top) * shrunk);
    if (under === null) leave(); else tell(under.curve, under.index, false);
  });
  svg.addEventListener("pointerleave", () => { under = null; leave(); });
  svg.addEventListener("click", () => under?.curve.open?.());

  const read = () => {
    const { name, value } = readings.get(holder.id) ?? {};
    const curve = known.find((one) => one.name === name);
    return curve === undefined ? null : { curve, index: at(curve, value) };
  };
  plot.reading = () => { const found = read(); return found === null ? null : place(found.curve, found.index); };
  const go = (curve, index) => {
    readings.set(holder.id, { name: curve.name, value: curve.points[index][0] });
    const [across, up] = place(curve, index);
    // What is read comes into sight.
    const out = [!within(across, [plot.left, plot.right]), !within(up, [plot.top, plot.bottom])];
    if (zoomed.has(holder.id) && (out[0] || out[1])) {
      const [wide, tall] = [[plot.left, plot.right], [plot.bottom, plot.top]];
      zoomTo(holder, plot, out[0] ? slid(wide, across, plot.whole.x.map(plot.x)) : wide, out[1] ? slid(tall, up, plot.whole.y.map(plot.y)) : tall);
      return;
    }
    tell(curve, index, true);
  };
  svg.addEventListener("keydown", (event) => {
    if (!known.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const found = read();
    const { curve, index } = found ?? nearest((plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2, Infinity);
    const along = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (along !== undefined) {
      const next = found === null && Number.isFinite(along) ? index : Math.max(0, Math.min(curve.points.length - 1, index + along));
      go(curve, next);
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const value = curve.points[index][0];
      const ordered = [...known].sort((one, other) => other.points[at(other, value)][1] - one.points[at(one, value)][1]);
      const next = ordered[Math.max(0, Math.min(known.length - 1, ordered.indexOf(curve) + (event.key === "ArrowUp" ? -1 : 1)))];
      go(next, at(next, value));
    } else if (event.key === "Enter" && curve.open) curve.open();
    else if (event.key === "Escape") leave();
    else return;
    event.preventDefault();
  });
  svg.addEventListener("focus", () => {
    if (!svg.matches(":focus-visible")) return;
    const found = read();
    if (found !== null) tell(found.curve, found.index, true);
  });
  svg.addEventListener("blur", leave);
  if (svg === document.activeElement && read() !== null) tell(read().curve, read().index, true);
  zoomKeys(holder, plot);
  if (drag) dragToZoom(holder, plot);
}

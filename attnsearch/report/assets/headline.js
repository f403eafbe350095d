// Plateau length against search space: every run a mark, the law a line, medians as bars.

function describe(run) {
  const cell = data.cells[run.cell];
  const ended = run.escaped
    ? `escaped at step ${count(run.plateau)}`
    : run.status === "diverged" ? "diverged, counted as censored" : `not escaped in ${count(run.plateau)} steps`;
  const mastered = run.mastered ? `, mastered at ${count(run.mastery)}` : ", not mastered";
  return `${cell.name}\n${decimal(cell.bits, 1)} bits, seed ${run.seed}\n${ended}${mastered}\nrun ${run.digest.slice(0, 12)}`;
}

// Where each run stands, in bits: cells of one search space side by side, and their runs beside each other.
function spread() {
  const places = [...new Set(data.cells.map((cell) => cell.bits))].sort((a, b) => a - b);
  const span = Math.max(places.at(-1) - places[0], 1);
  const gap = Math.min(...places.slice(1).map((place, k) => place - places[k]), span);
  const room = Math.min(Math.max(0.7 * gap, 0.03 * span), 0.16 * span);
  const middle = data.cells.map((cell, index) => {
    const here = data.cells.flatMap((other, k) => (other.bits === cell.bits ? [k] : []))
      .sort((a, b) => data.cells[a].series - data.cells[b].series || a - b);
    return cell.bits + room * ((here.indexOf(index) + 0.5) / here.length - 0.5);
  });
  const width = data.cells.map((cell) =>
    room / data.cells.filter((other) => other.bits === cell.bits).length);
  return { middle, width, domain: [places[0] - Math.max(0.08 * span, 0.5), places.at(-1) + Math.max(0.08 * span, 0.5)] };
}

function drawHeadline(select) {
  const holder = find("headline");
  const focused = document.activeElement?.dataset?.run;
  const lengths = data.runs.map((run) => Math.max(run.plateau, 1));
  const budgets = [...new Set(data.cells.map((cell) => cell.budget))].sort((a, b) => a - b);
  const low = Math.min(...lengths), high = Math.max(...lengths, low * 8);
  const near = budgets.filter((budget) => budget <= high * 4);
  const { middle, width, domain } = spread();
  const plot = chart(holder, {
    height: 380, role: "group", label: data.summary, top: 30, left: 60,
    x: { domain, label: "search space (bits)" },
    y: { domain: [low / 1.4, Math.max(high, ...near) * 1.3], log: true, label: "plateau length (training steps)" },
  });
  const { svg, x, y } = plot;
  for (const budget of near) {
    add(svg, "line", { class: "level", x1: plot.left, x2: plot.right, y1: y(budget), y2: y(budget) });
    add(svg, "text", { x: plot.right, y: y(budget) - 4, "text-anchor": "end" }, `budget ${count(budget)}`);
  }
  const clip = add(add(svg, "clipPath", { id: "headline-area" }), "rect", {
    x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top,
  });
  const back = add(svg, "g", { "clip-path": `url(#${clip.parentNode.id})`, "aria-hidden": "true" });
  data.laws.forEach((law, index) => {
    const upper = law.line.map(([bits, , , above]) => [bits, above]);
    const lower = law.line.map(([bits, below]) => [bits, below]).reverse();
    if (law.fits && law.line.length) add(back, "path", { class: `band ${series(index)}`, d: `${path([...upper, ...lower], x, y)}z` });
    add(back, "path", {
      class: `line law ${series(index)}`, "stroke-dasharray": DASHES[index % DASHES.length],
      d: path(law.line.map(([bits, , between]) => [bits, between]), x, y),
    });
  });
  data.cells.forEach((cell, index) => {
    if (cell.median === null) return;
    const [from, to] = [-0.48, 0.48].map((share) => x(middle[index] + share * width[index]));
    add(back, "line", {
      class: `line median ${series(cell.series)}`, "stroke-width": 3, x1: from, x2: to, y1: y(cell.median), y2: y(cell.median),
    });
  });
  const order = data.runs.map((_, index) => index).sort((a, b) =>
    middle[data.runs[a].cell] - middle[data.runs[b].cell] || data.runs[a].seed - data.runs[b].seed);
  const dots = order.map((index) => {
    const run = data.runs[index], cell = data.cells[run.cell];
    const here = cell.runs.indexOf(index);
    const across = middle[run.cell] + 0.8 * width[run.cell] * ((here + 0.5) / cell.runs.length - 0.5);
    const place = [x(across), y(lengths[index])];
    const outline = run.escaped ? shape(cell.series)(4) : TRIANGLE(5.5);
    const dot = add(svg, "g", {
      class: `dot ${series(cell.series)}`, transform: `translate(${place[0].toFixed(1)} ${place[1].toFixed(1)})`,
      role: "button", tabindex: -1, "data-run": index, "aria-label": describe(run).replaceAll("\n", ", "),
    });
    // A finger needs more than a mark to touch.
    add(dot, "circle", { r: 9, class: "target" });
    add(dot, "path", { class: run.escaped ? "mark" : "mark open", d: outline });
    if (run.status === "diverged") add(dot, "path", { class: "mark open", d: "M-3 -3L3 3M-3 3L3 -3" });
    const tell = () => {
      const box = dot.getBoundingClientRect();
      showTip(describe(run), box.left + box.width / 2, box.top);
    };
    dot.addEventListener("pointerenter", tell);
    dot.addEventListener("pointerleave", hideTip);
    dot.addEventListener("focus", tell);
    dot.addEventListener("blur", hideTip);
    dot.addEventListener("click", () => select(index, true));
    return dot;
  });
  // One stop of the tab key for all; arrows go from mark to mark.
  svg.addEventListener("keydown", (event) => {
    const at = dots.indexOf(event.target);
    const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -at, End: dots.length - 1 - at };
    if (at >= 0 && event.key in moves) {
      event.preventDefault();
      const next = dots[Math.max(0, Math.min(dots.length - 1, at + moves[event.key]))];
      for (const dot of dots) dot.setAttribute("tabindex", dot === next ? 0 : -1);
      next.focus();
    } else if (at >= 0 && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      select(Number(event.target.dataset.run), true);
    }
  });
  markSelected(state.run);
  if (focused !== undefined) holder.querySelector(`[data-run="${focused}"]`)?.focus({ preventScroll: true });
}

function markSelected(index) {
  for (const dot of document.querySelectorAll("#headline .dot")) {
    const selected = Number(dot.dataset.run) === index;
    dot.classList.toggle("selected", selected);
    dot.setAttribute("tabindex", selected ? 0 : -1);
    if (selected) dot.setAttribute("aria-current", "true"); else dot.removeAttribute("aria-current");
  }
}

function headlineLegend() {
  const list = find("headline-legend");
  data.series.forEach((name, index) => {
    legendEntry(list, (svg) => {
      add(svg, "path", { class: `line ${series(index)}`, d: "M-12 0H12", "stroke-dasharray": DASHES[index % DASHES.length] });
      add(svg, "path", { class: `mark ${series(index)}`, d: shape(index)(4.5) });
    }, name);
  });
  legendEntry(list, (svg) => add(svg, "path", { class: "mark open plain", d: TRIANGLE(5.5) }), "not escaped (censored)");
  if (data.runs.some((run) => run.status === "diverged")) {
    legendEntry(list, (svg) => {
      add(svg, "path", { class: "mark open plain", d: TRIANGLE(5.5) });
      add(svg, "path", { class: "mark open plain", d: "M-3 -3L3 3M-3 3L3 -3" });
    }, "crossed: diverged");
  }
  legendEntry(list, (svg) => add(svg, "path", { class: "line plain", "stroke-width": 3, d: "M-9 0H9" }), "median of a cell");
  if (data.laws.some((law) => law.fits && law.line.length)) {
    legendEntry(list, (svg) => add(svg, "rect", { class: "band plain", x: -12, y: -5, width: 24, height: 10 }), "nine runs in ten, by the law");
  }
}

// Plateau length against search space: every run a mark, the law a line, medians as bars.

function describe(run) {
  const cell = data.cells[run.cell];
  const known = run.escaped
    ? `escaped at step ${count(run.plateau)}`
    : run.status === "diverged" ? "diverged, counted as censored" : `not escaped in ${count(run.plateau)} steps`;
  const ended = hasEnded(run) ? known : `in training at step ${count(lastStep(run))}${run.escaped ? `, ${known}` : ", not escaped so far"}`;
  const mastered = run.mastered ? `, mastered at ${count(run.mastery)}` : hasEnded(run) ? ", not mastered" : "";
  const folder = data.folders.length > 1 ? `, in ${told(run.folders.map((index) => data.folders[index]))}` : "";
  return `${cell.name}\n${decimal(cell.bits, 1)} bits, seed ${run.seed}\n${ended}${mastered}\nrun ${run.digest.slice(0, 12)}${folder}`;
}

// Where each run stands, in bits: `cells` of one search space side by side, and their runs beside each other.
function spread(cells) {
  const every = [...cells].map((index) => ({ index, ...data.cells[index] }));
  const places = [...new Set(every.map((cell) => cell.bits))].sort((a, b) => a - b);
  const span = Math.max(places.at(-1) - places[0], 1);
  const gap = Math.min(...places.slice(1).map((place, k) => place - places[k]), span);
  const room = Math.min(Math.max(0.7 * gap, 0.03 * span), 0.16 * span);
  const middle = {}, width = {};
  for (const { index, bits } of every) {
    const here = every.filter((other) => other.bits === bits).sort((a, b) => a.series - b.series || a.index - b.index);
    width[index] = room / here.length;
    middle[index] = bits + width[index] * (here.findIndex((other) => other.index === index) + 0.5) - room / 2;
  }
  const [first, last] = places.length ? [places[0], places.at(-1)] : [0, 1];
  const margin = Math.max(0.08 * span || 0, 0.5);
  return { middle, width, domain: [first - margin, last + margin] };
}

function drawHeadline() {
  const holder = find("headline");
  const focused = document.activeElement?.dataset?.run;
  const parts = chosenParts();
  const partOf = new Map(parts.filter((part) => !part.hidden).flatMap((part) => part.runs.map((index) => [index, part])));
  headlineLegend(parts);
  const lengths = new Map([...partOf.keys()].map((index) => [index, Math.max(data.runs[index].plateau, 1)]));
  const cells = new Set([...partOf.keys()].map((index) => data.runs[index].cell));
  const budgets = [...new Set([...cells].map((cell) => data.cells[cell].budget))].sort((a, b) => a - b);
  const low = lengths.size ? Math.min(...lengths.values()) : 10, high = Math.max(...lengths.values(), low * 8);
  const near = budgets.filter((budget) => budget <= high * 4);
  const { middle, width, domain } = spread(cells);
  const medians = parts.filter((part) => !part.hidden && counted(part).length)
    .map((part) => ({ part, ...kaplanMeier(waitingIn(part)) }))
    .filter(({ median }) => median !== null);
  const plot = chart(holder, {
    height: 380, role: "group", top: 30, left: 60,
    label: `Plateau length of ${lengths.size} runs against search space. Medians in steps: ${medians.map(({ part, median }) => `${part.name}: ${count(median)}`).join("; ")}.`,
    x: { domain, label: "search space (bits)" },
    y: { domain: [low / 1.4, Math.max(high, ...near) * 1.3], log: true, label: "plateau length (training steps)" },
  });
  const { svg, x, y } = plot;
  for (const budget of near) {
    if (!within(y(budget), [plot.top, plot.bottom])) continue;
    add(svg, "line", { class: "level", x1: plot.left, x2: plot.right, y1: y(budget), y2: y(budget) });
    add(svg, "text", { x: plot.right, y: y(budget) - 4, "text-anchor": "end" }, `budget ${count(budget)}`);
  }
  const back = add(plot.area, "g", { "aria-hidden": "true" });
  const drawn = new Set([...partOf.values()].map((part) => part.group));
  data.laws.forEach((law) => {
    const index = law.series;
    if (!lawful() || !drawn.has(data.series[index])) return;
    const upper = law.line.map(([bits, , , above]) => [bits, above]);
    const lower = law.line.map(([bits, below]) => [bits, below]).reverse();
    if (law.fits && law.line.length) add(back, "path", { class: `band ${series(index)}`, d: `${path([...upper, ...lower], x, y)}z` });
    add(back, "path", {
      class: `line law ${series(index)}`, "stroke-dasharray": DASHES[index % DASHES.length],
      d: path(law.line.map(([bits, , between]) => [bits, between]), x, y),
    });
  });
  for (const { part, median } of medians) {
    const { cell } = data.runs[part.runs[0]];
    const [from, to] = [-0.48, 0.48].map((share) => x(middle[cell] + share * width[cell]));
    add(back, "line", { class: `line median ${series(part.colour)}`, "stroke-width": 3, x1: from, x2: to, y1: y(median), y2: y(median) });
  }
  const place = (index) => {
    const run = data.runs[index], { runs } = data.cells[run.cell];
    return [x(middle[run.cell] + 0.8 * width[run.cell] * ((runs.indexOf(index) + 0.5) / runs.length - 0.5)), y(lengths.get(index))];
  };
  const order = [...partOf.keys()].filter((index) => {
    const [left, up] = place(index);
    return within(left, [plot.left, plot.right]) && within(up, [plot.top, plot.bottom]);
  }).sort((a, b) => middle[data.runs[a].cell] - middle[data.runs[b].cell] || data.runs[a].seed - data.runs[b].seed);
  const dots = order.map((index) => {
    const run = data.runs[index], part = partOf.get(index);
    const outline = run.escaped ? shape(part.colour)(4) : TRIANGLE(5.5);
    const dot = add(svg, "g", {
      class: `dot ${series(part.colour)}${hasEnded(run) ? "" : " unfinished"}`, transform: `translate(${place(index).map((at) => at.toFixed(1)).join(" ")})`,
      role: "button", tabindex: -1, "data-run": index, "aria-label": describe(run).replaceAll("\n", ", "),
    });
    // A finger needs more than a mark to touch.
    add(dot, "circle", { r: 9, class: "target" });
    add(dot, "path", { class: run.escaped && hasEnded(run) ? "mark" : "mark open", d: outline });
    if (run.status === "diverged") add(dot, "path", { class: "mark open", d: "M-3 -3L3 3M-3 3L3 -3" });
    const tell = () => {
      const box = dot.getBoundingClientRect();
      showTip(describe(run), box.left + box.width / 2, box.top);
    };
    dot.addEventListener("pointerenter", tell);
    dot.addEventListener("pointerleave", hideTip);
    dot.addEventListener("focus", tell);
    dot.addEventListener("blur", hideTip);
    dot.addEventListener("click", () => selectRun(index, true));
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
      selectRun(Number(event.target.dataset.run), true);
    }
  });
  holder.plot = plot;
  plot.reading = () => (focusedRun(dots) === null ? null : place(focusedRun(dots)));
  zoomKeys(holder, plot);
  dragToZoom(holder, plot);
  markSelected(state.run);
  if (focused !== undefined) holder.querySelector(`[data-run="${focused}"]`)?.focus({ preventScroll: true });
}

// A law is of all runs of its series, as the words below the chart say it: it has a colour where series have.
const lawful = () => find("group").value === GROUPS.keys().next().value;

function focusedRun(dots) {
  const dot = dots.find((one) => one === document.activeElement);
  return dot === undefined ? null : Number(dot.dataset.run);
}

function markSelected(index) {
  const dots = [...document.querySelectorAll("#headline .dot")];
  const selected = dots.find((dot) => Number(dot.dataset.run) === index);
  for (const dot of dots) {
    dot.classList.toggle("selected", dot === selected);
    if (dot === selected) dot.setAttribute("aria-current", "true"); else dot.removeAttribute("aria-current");
    // Where the run inside the browser is hidden, Tab comes to the first mark.
    dot.setAttribute("tabindex", dot === (selected ?? dots[0]) ? 0 : -1);
  }
}

function headlineLegend(parts) {
  const list = find("headline-legend");
  const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren();
  for (const group of new Set(parts.map((part) => part.group))) {
    const own = parts.filter((part) => part.group === group);
    const { colour: index } = own[0];
    const off = own.every((part) => part.hidden);
    legendEntry(list, (svg) => {
      add(svg, "path", { class: `line ${series(index)}`, d: "M-12 0H12", "stroke-dasharray": DASHES[index % DASHES.length] });
      add(svg, "path", { class: `mark ${series(index)}`, d: shape(index)(4.5) });
    }, group, { off, flip: () => flipGroup(group, own, off) });
  }
  list.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
  legendEntry(list, (svg) => add(svg, "path", { class: "mark open plain", d: TRIANGLE(5.5) }), "not escaped (censored)");
  if (data.runs.some((run) => run.status === "diverged")) {
    legendEntry(list, (svg) => {
      add(svg, "path", { class: "mark open plain", d: TRIANGLE(5.5) });
      add(svg, "path", { class: "mark open plain", d: "M-3 -3L3 3M-3 3L3 -3" });
    }, "crossed: diverged");
  }
  if (!data.runs.every(hasEnded)) {
    legendEntry(list, (svg) => add(svg, "path", { class: "mark open plain unfinished", d: TRIANGLE(5.5) }), "dashed: in training, not counted");
  }
  legendEntry(list, (svg) => add(svg, "path", { class: "line plain", "stroke-width": 3, d: "M-9 0H9" }), "median of the runs shown");
  if (lawful() && data.laws.some((law) => law.fits && law.line.length)) {
    legendEntry(list, (svg) => add(svg, "rect", { class: "band plain", x: -12, y: -5, width: 24, height: 10 }), "nine runs in ten, by the law");
  }
}

// A group is shown whole, whichever of its parts were hidden.
function flipGroup(group, parts, off) {
  for (const { name } of parts) choice.hidden.delete(name);
  if (off) choice.hidden.delete(group); else choice.hidden.add(group);
  changed();
}

function startHeadline() {
  redrawn.push(drawHeadline);
  chartTools("headline", "Plateau length against search space", drawHeadline);
}

// The curves of one run over its steps: the loss of every target, or of every state where targets are many, and
// the masses of its maps.

function stepScale(run) {
  const last = Math.max(run.detail.loss_step.at(-1) ?? 10, 10);
  const log = find("log-steps").checked;
  return { domain: [log ? 10 : 0, last], log, label: "training step" };
}

// Step 0 has no place on a logarithm: it stands at the left edge.
const onScale = (plot, step) => Math.max(plot.x(Math.max(step, 1)), zoomed.has(plot.svg.parentNode.id) ? -1e4 : plot.left);

// `middle` is the mean over all at each step. Answers the curves, to be looked into.
function targetLines(plot, steps, values, middle, names, kind) {
  const columns = values.shape[1], found = [];
  for (let target = 0; target < columns; target += 1) {
    const points = steps.map((step, index) => [step, values.at(index, target)]);
    const element = add(plot.area, "path", {
      class: `curve ${kind}`, "data-target": target, d: path(points, (step) => onScale(plot, step), plot.y),
    });
    found.push({ name: names[target], points, element });
  }
  const points = steps.map((step, index) => [step, middle(index)]);
  const element = add(plot.area, "path", { class: "curve mean", d: path(points, (step) => onScale(plot, step), plot.y) });
  return [...found, { name: `mean of the ${columns}`, points, element }].map((curve) => ({
    ...curve, points: curve.points.filter(([, value]) => Number.isFinite(value)),
    told: (step, value) => `${plot.labels.y.replace(/ of .*| \(.*/, "")} ${decimal(value)} at step ${count(step)}`,
  }));
}

function level(plot, value, text) {
  const place = plot.y(value);
  if (place < plot.top - 1 || place > plot.bottom + 1) return;
  add(plot.svg, "line", { class: "level", x1: plot.left, x2: plot.right, y1: place, y2: place });
  add(plot.svg, "text", { x: plot.right + 4, y: place + 4 }, text);
}

function moment(plot, step, text, height) {
  const place = onScale(plot, step);
  if (!within(place, [plot.left, plot.right])) return;
  const turned = place > plot.left + 0.6 * (plot.right - plot.left);
  add(plot.svg, "line", { class: "moment", x1: place, x2: place, y1: plot.top - 4 - 13 * height, y2: plot.bottom });
  add(plot.svg, "text", { x: place + (turned ? -4 : 4), y: plot.top - 3 - 13 * height, "text-anchor": turned ? "end" : "start" }, text);
}

function cursorIn(plot) {
  const line = add(plot.area, "line", { class: "cursor", y1: plot.top, y2: plot.bottom });
  return (step) => {
    const place = onScale(plot, step);
    line.setAttribute("x1", place);
    line.setAttribute("x2", place);
  };
}

// Pressing on a chart, or dragging over it, takes the slider to the nearest recorded map.
function scrub(plot, run, move) {
  const to = (event) => {
    const box = plot.svg.getBoundingClientRect();
    const step = plot.x.invert((event.clientX - box.left) * plot.width / box.width);
    const steps = run.detail.map_step;
    const far = (other) => Math.abs(onScale(plot, other) - onScale(plot, step));
    move(steps.reduce((best, other, index) => (far(other) < far(steps[best]) ? index : best), 0));
  };
  plot.svg.addEventListener("pointerdown", to);
  plot.svg.addEventListener("pointermove", (event) => { if (event.buttons === 1) to(event); });
}

// What no predictor can beat, as a stroke at the right for every state; the first, which is most, by its name.
function drawBayes(plot, lines, shown, chance) {
  lines.bayes.forEach((loss, line) => {
    const place = plot.y(shown(loss / chance));
    if (!within(place, [plot.top, plot.bottom])) return;
    add(plot.svg, "line", { class: "bayes", x1: plot.right - 18, x2: plot.right, y1: place, y2: place });
    if (line === 0) add(plot.svg, "text", { x: plot.right - 22, y: place + 4, "text-anchor": "end" }, `Bayes, ${lines.names[0]}`);
  });
}

// Which of two routes a run took, below the axis: high where general, low where shallow, a line where uncertain.
const RIBBON = { general: 7, shallow: 4, uncertain: 1.5 };

function drawModes(plot, { stretches, hops }) {
  const inside = (step) => Math.min(Math.max(onScale(plot, step), plot.left), plot.right);
  stretches.forEach(([mode, first, last], index) => {
    const end = stretches[index + 1]?.[1] ?? last;
    const [from, to] = [inside(first), inside(end)];
    const part = add(plot.svg, "rect", { class: `mode ${mode}`, x: from, y: plot.bottom + 1, width: Math.max(to - from, 1), height: RIBBON[mode] });
    add(part, "title", {}, `${mode}, step ${count(first)} to ${count(last)}`);
  });
  for (const hop of hops) add(plot.svg, "line", { class: "hop", x1: inside(hop), x2: inside(hop), y1: plot.bottom - 8, y2: plot.bottom + 8 });
}

// Answers what moves the cursors of all charts to a step.
function drawCurves(run, move) {
  const { detail } = run;
  const x = stepScale(run);
  const chance = detail.chance;
  const log = find("log-loss").checked;
  const { lines } = detail;
  const lowest = 0.003 * chance;
  const shown = (loss) => (log ? Math.max(loss * chance, lowest) : loss * chance);
  const highest = Math.min(2, Math.max(1.08, 1.04 * detail.losses.largest)) * chance;
  const plot = chart(find("losses"), {
    height: 290, x, right: 78, top: 46,
    y: { domain: [log ? lowest : 0, highest], log, label: `loss of each ${lines.of} (nats)` },
    label: `Loss of ${lines.names.length} ${lines.of}s over ${count(x.domain[1])} steps. ${describe(run).replaceAll("\n", ", ")}.`,
  });
  const { rule } = data.cells[run.cell];
  level(plot, chance, "chance");
  level(plot, rule.found * chance, `found ${rule.found}`);
  const foreseen = lines.bayes.every((loss) => loss === 0);
  level(plot, rule.mastery * chance, `mastery ${rule.mastery}${foreseen ? "" : " *"}`);
  const losses = { ...detail.losses, at: (index, line) => shown(detail.losses.at(index, line)) };
  const curves = targetLines(plot, detail.loss_step, losses, (index) => shown(detail.means.at(index)), lines.names, "loss");
  if (lines.of === "state") drawBayes(plot, lines, shown, chance);
  if (run.escaped) moment(plot, run.plateau, `escape ${count(run.plateau)}`, 0);
  if (run.mastered) moment(plot, run.mastery, `mastery ${count(run.mastery)}`, 1);
  if (detail.modes !== null) drawModes(plot, detail.modes);
  scrub(plot, run, move);
  explore(find("losses"), plot, curves, { drag: false });
  const cursors = [cursorIn(plot)];

  const small = (id, values, y, chanceLevel, chanceName) => {
    const drawing = chart(find(id), { height: 190, x, y, right: 16, top: 30, left: 40, label: `${y.label}, over steps` });
    if (chanceLevel !== null) {
      const place = drawing.y(chanceLevel);
      if (within(place, [drawing.top, drawing.bottom])) add(drawing.svg, "line", { class: "level", x1: drawing.left, x2: drawing.right, y1: place, y2: place });
      if (within(place, [drawing.top, drawing.bottom])) add(drawing.svg, "text", { x: drawing.right, y: place - 4, "text-anchor": "end" }, chanceName);
    }
    const rows = [...Array(values.shape[1]).keys()];
    const middle = (index) => mean(rows.map((row) => values.at(index, row)).filter(Number.isFinite));
    const masses = targetLines(drawing, detail.map_step, values, middle, detail.names, "mass");
    scrub(drawing, run, move);
    explore(find(id), drawing, masses, { drag: false });
    cursors.push(cursorIn(drawing));
  };
  // Before anything is measured: what is hidden leaves its room to the others.
  for (const id of ["head-mass", "head-entropy"]) find(id).parentNode.hidden = detail.heads === null;
  find("map-mass").parentNode.hidden = !detail.map_step.length;
  if (detail.map_step.length) small("map-mass", detail.masses, { domain: [0, 1], label: "map mass" }, mean(detail.chance_map_mass), "chance");
  const { heads } = detail;
  if (heads !== null) {
    small("head-mass", heads.masses, { domain: [0, 1], label: "attention mass of the best head" }, mean(heads.uniform_mass), "uniform");
    const uniform = mean(heads.uniform_entropy);
    small("head-entropy", heads.entropies, { domain: [0, 1.15 * Math.max(...heads.uniform_entropy)], label: "entropy of that head (nats)" }, uniform, "uniform");
  }
  return (step) => { for (const cursor of cursors) cursor(step); };
}

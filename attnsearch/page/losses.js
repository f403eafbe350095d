// The curves of one run over its steps: the loss of every target, and the masses of its maps.

function stepScale(run) {
  const last = Math.max(run.detail.loss_step.at(-1) ?? 10, 10);
  const log = find("log-steps").checked;
  return { domain: [log ? 10 : 0, last], log, label: "training step" };
}

// Step 0 has no place on a logarithm: it stands at the left edge.
const onScale = (plot, step) => Math.max(plot.x(Math.max(step, 1)), plot.left);

function targetLines(plot, run, steps, values, kind) {
  const columns = values.shape[1];
  for (let target = 0; target < columns; target += 1) {
    const points = steps.map((step, index) => [step, values.at(index, target)]);
    add(plot.svg, "path", {
      class: `curve ${kind}`, "data-target": target, d: path(points, (step) => onScale(plot, step), plot.y),
    });
  }
  const middle = steps.map((step, index) => {
    const row = [...Array(columns).keys()].map((target) => values.at(index, target));
    const known = row.filter(Number.isFinite);
    return [step, known.length === columns || kind === "mass" ? mean(known) : NaN];
  });
  add(plot.svg, "path", { class: "curve mean", d: path(middle, (step) => onScale(plot, step), plot.y) });
}

function level(plot, value, text) {
  const place = plot.y(value);
  if (place < plot.top - 1 || place > plot.bottom + 1) return;
  add(plot.svg, "line", { class: "level", x1: plot.left, x2: plot.right, y1: place, y2: place });
  add(plot.svg, "text", { x: plot.right + 4, y: place + 4 }, text);
}

function moment(plot, step, text, height) {
  const place = onScale(plot, step);
  const turned = place > plot.left + 0.6 * (plot.right - plot.left);
  add(plot.svg, "line", { class: "moment", x1: place, x2: place, y1: plot.top - 4 - 13 * height, y2: plot.bottom });
  add(plot.svg, "text", { x: place + (turned ? -4 : 4), y: plot.top - 3 - 13 * height, "text-anchor": turned ? "end" : "start" }, text);
}

function cursorIn(plot) {
  const line = add(plot.svg, "line", { class: "cursor", y1: plot.top, y2: plot.bottom });
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

// Answers what moves the cursors of all charts to a step.
function drawCurves(run, move) {
  const { detail } = run;
  const x = stepScale(run);
  const chance = detail.chance;
  const log = find("log-loss").checked;
  const losses = { ...detail.losses, at: (index, target) => detail.losses.at(index, target) * chance };
  const highest = Math.min(2, Math.max(1.08, 1.04 * detail.losses.largest)) * chance;
  const plot = chart(find("losses"), {
    height: 290, x, right: 78, top: 46,
    y: { domain: [log ? 0.003 * chance : 0, highest], log, label: "loss of each target (nats)" },
    label: `Loss of ${detail.support.length} targets over ${count(x.domain[1])} steps. ${describe(run).replaceAll("\n", ", ")}.`,
  });
  const { rule } = data.cells[run.cell];
  level(plot, chance, "chance");
  level(plot, rule.found * chance, `found ${rule.found}`);
  level(plot, rule.mastery * chance, `mastery ${rule.mastery}`);
  const floor = { ...losses, at: (index, target) => (log ? Math.max(losses.at(index, target), 0.003 * chance) : losses.at(index, target)) };
  targetLines(plot, run, detail.loss_step, floor, "loss");
  if (run.escaped) moment(plot, run.plateau, `escape ${count(run.plateau)}`, 0);
  if (run.mastered) moment(plot, run.mastery, `mastery ${count(run.mastery)}`, 1);
  scrub(plot, run, move);
  const cursors = [cursorIn(plot)];

  const small = (id, values, y, chanceLevel, chanceName) => {
    const drawing = chart(find(id), { height: 190, x, y, right: 16, top: 30, left: 40, label: `${y.label}, over steps` });
    if (chanceLevel !== null) {
      const place = drawing.y(chanceLevel);
      add(drawing.svg, "line", { class: "level", x1: drawing.left, x2: drawing.right, y1: place, y2: place });
      add(drawing.svg, "text", { x: drawing.right, y: place - 4, "text-anchor": "end" }, chanceName);
    }
    targetLines(drawing, run, detail.map_step, values, "mass");
    scrub(drawing, run, move);
    cursors.push(cursorIn(drawing));
  };
  // Before anything is measured: what is hidden leaves its room to the others.
  for (const id of ["head-mass", "head-entropy"]) find(id).parentNode.hidden = detail.heads === null;
  small("map-mass", detail.masses, { domain: [0, 1], label: "map mass" }, mean(detail.chance_map_mass), "chance");
  const { heads } = detail;
  if (heads !== null) {
    small("head-mass", heads.masses, { domain: [0, 1], label: "attention mass of the best head" }, mean(heads.uniform_mass), "uniform");
    const uniform = mean(heads.uniform_entropy);
    small("head-entropy", heads.entropies, { domain: [0, 1.15 * Math.max(...heads.uniform_entropy)], label: "entropy of that head (nats)" }, uniform, "uniform");
  }
  return (step) => { for (const cursor of cursors) cursor(step); };
}

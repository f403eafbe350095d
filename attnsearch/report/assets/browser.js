// The run browser: one run, one recorded step, and everything that follows them.

// `wanted`: what an address asks for, until its run is there; `pinned`: the address names the run in any case.
const state = { run: data.start, at: 0, pointed: null, moveCursors: null, playing: null, wanted: null, pinned: false };

const current = () => data.runs[state.run];
const picked = () => state.pointed ?? (find("target").value === "" ? null : Number(find("target").value));
const foundBy = (found, step) => (index) => found[index] !== null && found[index] <= step;
// Of all targets, those without a row of the map included.
const countBy = (run, step) => run.counts.findLast(([from]) => from <= step)?.[1] ?? 0;

async function selectRun(index, travel = false) {
  stop();
  state.run = index;
  state.pointed = null;
  find("run").value = index;
  find("previous-run").disabled = index === 0;
  find("next-run").disabled = index === data.runs.length - 1;
  const run = current();
  if (state.shown !== undefined && state.shown !== index) for (const chart of CURVES.keys()) zoomed.delete(chart);
  state.shown = index;
  await busy(unpackRun(run));
  // Another may have been picked while this one was unpacked.
  if (state.run !== index) return;
  const { detail } = run;
  fill(find("target"), [["", "none"], ...detail.names.map((name, row) => [row, name])]);
  const { heads } = detail;
  const weighted = heads !== null && heads.weights !== null;
  find("head").parentNode.hidden = !weighted;
  if (weighted) fill(find("head"), [["best", "each target’s best head"], ...(heads.all ? heads.names.map((name, k) => [k, name]) : [])]);
  find("head-figure").hidden = !weighted;
  find("no-head").hidden = weighted;
  find("no-head").textContent = heads === null
    ? "No attention weights are recorded for this run."
    : "This run’s attention weights are left out to keep the file small; its masses and entropies are here.";
  // Side by side on a phone where their cells stay large enough.
  find("maps").style.setProperty("--map-width", `${Math.max(136, 40 + Math.min(480, 9 * (detail.positions.length + detail.gaps.length)))}px`);
  const slider = find("slider");
  const mapped = detail.map_step.length > 0;
  find("measured-figure").hidden = !mapped;
  find("no-map").hidden = mapped;
  for (const id of ["slider", "play"]) find(id).disabled = !mapped;
  slider.max = Math.max(detail.map_step.length - 1, 0);
  // Where half of what is found has been found, there is most to see on either side.
  const most = run.counts.at(-1)?.[1] ?? 0;
  const middle = run.counts.find(([, found]) => 2 * found >= most)?.[0];
  const half = detail.map_step.findIndex((step) => step >= middle);
  state.at = half < 0 ? Number(slider.max) : half;
  state.first = state.at;
  takeWanted(detail);
  find("of-targets").textContent = run.targets === detail.names.length ? "" : `; ${detail.names.length} of ${run.targets} targets`;
  find("unprobed-key").hidden = detail.unprobed === 0;
  find("unprobed-key").textContent = `hatched: ${detail.unprobed} positions in between, never replaced, so that their influence is not known`;
  find("modes-key").hidden = detail.modes === null;
  find("bayes-key").hidden = detail.lines.bayes.every((loss) => loss === 0);
  find("hidden-key").hidden = detail.queries.every((query) => query >= detail.positions.at(-1));
  showRun();
  markSelected(index);
  remember();
  if (travel) {
    find("browser").scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
    slider.focus({ preventScroll: true });
  }
}

// The step of a recorded map; the last one of a run that recorded none.
const stepAt = ({ detail }, at) => detail.map_step[at] ?? (detail.map_step.length ? 0 : detail.loss_step.at(-1) ?? 0);

// The step, the target and the head that an address asks for.
function takeWanted({ map_step: steps, names }) {
  const { wanted } = state;
  state.wanted = null;
  if (wanted === null) return;
  const at = steps.indexOf(Number(wanted.step));
  if (wanted.step !== undefined && at >= 0) state.at = at;
  if (Number(wanted.target) < names.length) find("target").value = wanted.target;
  if ([...find("head").options].some((option) => option.value === wanted.head)) find("head").value = wanted.head;
}

function keepBrowser() {
  const want = (key) => ([text]) => { state.wanted = { ...state.wanted, [key]: text }; };
  keep("run", () => (state.run === data.start && !state.pinned ? [] : [current().key]), ([text]) => {
    const index = data.runs.findIndex((run) => run.key === text);
    state.run = index < 0 ? data.start : index;
  });
  keep("step", () => (state.at === state.first ? [] : [current().detail.map_step[state.at]]), want("step"));
  keep("target", () => (find("target").value === "" ? [] : [find("target").value]), want("target"));
  keep("head", () => (["", "best"].includes(find("head").value) ? [] : [find("head").value]), want("head"));
}

function showRun() {
  const run = current();
  find("run-facts").textContent = describe(run).replaceAll("\n", "; ");
  redrawCurves();
  listTargets(run);
  move(state.at);
}

function redrawCurves() {
  if (!current().detail.losses) return;
  state.moveCursors = drawCurves(current(), move);
  highlight();
}

function move(at) {
  state.at = at;
  const run = current();
  const step = stepAt(run, at);
  const slider = find("slider");
  slider.value = at;
  const text = `step ${count(step)}: ${countBy(run, step)} of ${run.targets} targets found`;
  slider.setAttribute("aria-valuetext", text);
  find("step").textContent = text;
  state.moveCursors?.(step);
  highlight();
  drawMaps();
  updateTargets(run, at, step);
  remember();
}

function drawMaps() {
  const run = current(), { detail } = run, { at } = state;
  if (!detail.losses) return;
  const step = stepAt(run, at);
  const lit = foundBy(run.found, step);
  const top = 1 / Math.min(...detail.support.map((row) => Math.max(row.length, 1)));
  const mass = mean(detail.support.map((_, target) => detail.masses.at(at, target)).filter(Number.isFinite));
  const common = { top, lit, picked: picked() };
  drawMap(find("map-truth"), run, {
    ...common, dotted: false, label: "Ground truth: the positions that each target depends on",
    value: (row, column) => (detail.support[row].includes(detail.positions[column]) ? 1 / detail.support[row].length : 0),
  });
  if (detail.map_step.length) drawMap(find("map-measured"), run, {
    ...common, dotted: true, value: (row, column) => detail.shares.at(at, row, column),
    label: `Measured map at step ${count(step)}: map mass ${decimal(mass)} in the mean, ${countBy(run, step)} of ${run.targets} targets found`,
  });
  const leak = detail.leak === null ? "" : `; leaking: tokens behind a query moved its answer by ${detail.leak}`;
  find("mass").textContent = `map mass ${decimal(mass)}, by chance ${decimal(mean(detail.chance_map_mass))}${leak}`;
  find("scale-top").textContent = `${decimal(top)} and more`;
  const { heads } = detail;
  if (heads === null || heads.weights === null) return;
  const chosen = find("head").value;
  const head = (row) => (chosen === "best" ? heads.best[row] : Number(chosen));
  const name = chosen === "best" ? "each target’s best head" : heads.names[Number(chosen)];
  find("head-name").textContent = `Attention weights, ${name}`;
  drawMap(find("map-head"), run, {
    ...common, dotted: true, value: (row, column) => heads.values.at(at, heads.all ? head(row) : 0, row, column),
    label: `Attention weights of ${name} at step ${count(step)}`,
  });
  const known = detail.support.map((_, target) => heads.masses.at(at, target));
  find("head-note").textContent = `best head: attention mass ${decimal(mean(known))}, uniform ${decimal(mean(heads.uniform_mass))}`;
}

// Lines of found targets light up with their rows; the one that is pointed at stands out.
function highlight() {
  const run = current();
  const { lines } = run.detail;
  const step = stepAt(run, state.at);
  const chosen = picked();
  for (const line of document.querySelectorAll("#browser .curve[data-target]")) {
    const index = Number(line.dataset.target);
    const loss = line.classList.contains("loss");
    line.classList.toggle("lit", foundBy(loss ? lines.found : run.found, step)(index));
    line.classList.toggle("picked", chosen !== null && index === (loss ? lines.of_mapped[chosen] : chosen));
  }
}

function listTargets(run) {
  const rows = find("targets");
  rows.replaceChildren();
  run.detail.support.forEach((support, target) => {
    const row = add(rows, "tr");
    add(row, "th", { scope: "row", class: "number" }, run.detail.names[target].replace(/^target /, ""));
    const route = run.detail.route?.[target];
    const cheaper = route && route.join() !== support.join() ? ` (cheapest route: ${route.join(", ")})` : "";
    add(row, "td", {}, support.join(", ") + cheaper);
    add(row, "td", { class: "number" }, decimal(run.detail.bits[target], 1));
    add(row, "td", { class: "number" }, run.found[target] === null ? "not found" : count(run.found[target]));
    for (const name of ["mass", "chance", "best"]) add(row, "td", { class: `number ${name}` });
  });
  stackTables();
}

function updateTargets(run, at, step) {
  const { detail } = run;
  const lit = foundBy(run.found, step);
  [...find("targets").rows].forEach((row, target) => {
    row.classList.toggle("lit", lit(target));
    row.querySelector(".mass").textContent = decimal(detail.masses.at(at, target));
    row.querySelector(".chance").textContent = decimal(detail.chance_map_mass[target]);
    row.querySelector(".best").textContent = detail.heads === null
      ? "–"
      : `${decimal(detail.heads.masses.at(at, target))} (${detail.heads.names[detail.heads.best[target]]})`;
  });
}

function pointAt(canvas, event) {
  const place = canvas.place?.(event) ?? null;
  const pointed = place === null ? null : place.row;
  if (pointed !== state.pointed) {
    state.pointed = pointed;
    drawMaps();
    highlight();
  }
  if (place === null) { hideTip(); return; }
  const run = current(), { detail } = run, { at } = state;
  const position = detail.positions[place.column];
  const within = detail.states === null ? "" : ` of state ${detail.states[place.column]}`;
  const where = position === undefined ? "all other positions" : `position ${position}${within}`;
  const inside = detail.support[place.row].includes(position);
  const lines = [`${detail.names[place.row]}; ${where}${inside ? ", in the support" : ""}`];
  if (position !== undefined) lines.push(`${decimal(detail.shares.at(at, place.row, place.column), 3)} of the measured influence`);
  if (detail.heads?.values) {
    const chosen = find("head").value;
    const head = chosen === "best" ? detail.heads.best[place.row] : Number(chosen);
    const weight = detail.heads.values.at(at, detail.heads.all ? head : 0, place.row, place.column);
    lines.push(`weight ${decimal(weight, 3)} (${detail.heads.names[head]})`);
  }
  showTip(lines.join("\n"), event.clientX, event.clientY);
}

function stop() {
  clearInterval(state.playing);
  state.playing = null;
  find("play").textContent = "Play";
}

function play() {
  if (state.playing !== null) { stop(); return; }
  const last = Number(find("slider").max);
  move(state.at >= last ? 0 : state.at);
  find("play").textContent = "Pause";
  state.playing = setInterval(() => {
    if (state.at >= last) stop(); else move(state.at + 1);
  }, 400);
}

const CURVES = new Map([
  ["losses", "Losses of the run"], ["map-mass", "Map mass of the run"],
  ["head-mass", "Attention mass of the run"], ["head-entropy", "Entropy of the run"],
]);

function startBrowser() {
  const groups = new Map();
  data.runs.forEach((run, index) => {
    if (!groups.has(run.cell)) groups.set(run.cell, add(find("run"), "optgroup", { label: data.cells[run.cell].name }));
    const known = run.status === "diverged" ? "diverged" : run.escaped ? `escaped at ${count(run.plateau)}` : "not escaped";
    const ended = hasEnded(run) ? known : `in training at step ${count(lastStep(run))}, ${known}`;
    add(groups.get(run.cell), "option", { value: index }, `seed ${run.seed}: ${ended}`);
  });
  find("run").addEventListener("change", (event) => selectRun(Number(event.target.value)));
  find("previous-run").addEventListener("click", () => selectRun(state.run - 1));
  find("next-run").addEventListener("click", () => selectRun(state.run + 1));
  find("slider").addEventListener("input", (event) => { stop(); move(Number(event.target.value)); });
  find("play").addEventListener("click", play);
  find("head").addEventListener("change", () => { drawMaps(); remember(); });
  find("target").addEventListener("change", () => { drawMaps(); highlight(); remember(); });
  const again = () => { if (current().detail.losses) { redrawCurves(); move(state.at); } };
  for (const id of ["log-loss", "log-steps"]) {
    keepControl(id, () => { for (const chart of CURVES.keys()) zoomed.delete(chart); again(); });
  }
  for (const [id, name] of CURVES) chartTools(id, name, again);
  keepBrowser();
  for (const canvas of document.querySelectorAll("#browser canvas")) {
    canvas.addEventListener("pointermove", (event) => pointAt(canvas, event));
    canvas.addEventListener("pointerleave", () => { state.pointed = null; hideTip(); drawMaps(); highlight(); });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMaps, { signal: over.signal });
  drawn(find("browser"), again);
}

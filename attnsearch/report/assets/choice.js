// Which runs the charts show: filtered by settings, chosen one by one, grouped by colour, hidden by a legend.

// A run in training is shown, and never counts.
const hasEnded = (run) => run.status !== "training";
const lastStep = (run) => run.detail.loss_step.at(-1) ?? 0;
const counted = (part) => part.runs.filter((index) => hasEnded(data.runs[index]));

const choice = { without: new Set(), hidden: new Set() };

const factsOf = (run) => ({
  ...data.cells[run.cell].facts,
  ...(data.folders.length > 1 ? { folder: run.folders.map((index) => data.folders[index]) } : {}),
  ended: !hasEnded(run) ? "in training" : run.status === "diverged" ? "diverged" : run.mastered ? "mastered" : run.escaped ? "escaped, not mastered" : "not escaped",
});

// A run that lies in two folders is of each of them.
const listOf = (value) => (Array.isArray(value) ? value : [value ?? "–"]);
const told = (value) => listOf(value).join(" and ");

const FACTS = data.runs.map(factsOf);
const FILTERS = [...new Set(FACTS.flatMap(Object.keys))]
  .map((name) => [name, [...new Set(FACTS.flatMap((facts) => listOf(facts[name])))]])
  .filter(([, values]) => values.length > 1);

const cellOf = (index) => data.cells[data.runs[index].cell];
const GROUPS = new Map([
  ["mixer and its settings", (index) => data.series[cellOf(index).series]],
  ...FILTERS.filter(([name]) => name !== "mixer").map(([name]) => [name, (index) => told(FACTS[index][name])]),
  ["cell", (index) => cellOf(index).name],
  ["run", (index) => runName(data.runs[index])],
]);

function runName(run) {
  const folder = data.folders.length > 1 ? `; ${told(run.folders.map((index) => data.folders[index]))}` : "";
  return `${data.cells[run.cell].name}; seed ${run.seed}${run.rule === run.seed ? "" : `, rule seed ${run.rule}`}${folder}`;
}

const filterId = (name) => `filter-${fileStem(name)}`;
const everyRun = data.runs.map((_, index) => index);

// What the charts draw: groups have colours and shapes, and parts, a cell each within its group, have dashes.
function chosenParts({ pooled = false } = {}) {
  const groupOf = GROUPS.get(find("group").value);
  const groups = [...new Set(everyRun.map(groupOf))];
  const wanted = FILTERS.map(([name]) => [name, find(filterId(name)).value]).filter(([, value]) => value !== "");
  const passes = (index) => !choice.without.has(index)
    && wanted.every(([name, value]) => listOf(FACTS[index][name]).includes(value));
  const parts = new Map();
  for (const index of everyRun.filter(passes)) {
    const group = groupOf(index), cell = cellOf(index).name;
    const apart = [data.series[cellOf(index).series], cell, runName(data.runs[index])];
    const name = pooled || apart.includes(group) && group !== apart[0] ? group : nameOfPart(group, cell);
    if (!parts.has(name)) parts.set(name, { name, group, colour: groups.indexOf(group), runs: [] });
    parts.get(name).runs.push(index);
  }
  const found = [...parts.values()];
  for (const part of found) {
    part.dash = found.filter((other) => other.group === part.group).indexOf(part);
    part.hidden = choice.hidden.has(part.name) || choice.hidden.has(part.group);
  }
  return found;
}

// A cell's name says its settings; what it does not say is added.
function nameOfPart(group, cell) {
  const said = find("group").value;
  return ["ended", "folder"].includes(said) ? `${cell}; ${group}` : cell;
}

// Whether no choice is finer than a cell.
const wholeCells = () => !choice.without.size && !["ended", "run"].includes(find("group").value)
  && !document.getElementById(filterId("ended"))?.value;

const shownRuns = () => chosenParts().filter((part) => !part.hidden).flatMap((part) => part.runs);

function flip(name) {
  if (!choice.hidden.delete(name)) choice.hidden.add(name);
  changed();
}

// The parts of a chart, each a button that hides it.
function partLegend(list, parts, texts = new Map()) {
  const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren();
  for (const part of parts) {
    const entry = legendEntry(list, (sample) => {
      add(sample, "path", { class: `line ${series(part.colour)}`, d: "M-12 0H12", "stroke-dasharray": dashOf(part) });
      add(sample, "path", { class: `mark ${series(part.colour)}`, d: shape(part.colour)(4) });
    }, texts.get(part.name) ?? part.name, { off: part.hidden, flip: () => flip(choice.hidden.has(part.group) ? part.group : part.name) });
    part.entry = entry;
  }
  list.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
}

const dashOf = (part) => DASHES[(part.colour + part.dash) % DASHES.length];

const redrawn = [];

// After every change: all charts, the count of runs, and the address.
function changed() {
  for (const draw of redrawn) draw();
  tellChoice();
  remember();
}

function tellChoice() {
  const shown = shownRuns().length;
  find("chosen").textContent = `${count(shown)} of ${count(data.runs.length)} runs are shown.`;
  for (const box of document.querySelectorAll("#choose input")) {
    if (box.dataset.run !== undefined) box.checked = !choice.without.has(Number(box.dataset.run));
    else {
      const { runs } = data.cells[box.dataset.cell];
      const out = runs.filter((index) => choice.without.has(index)).length;
      box.checked = out === 0;
      box.indeterminate = out > 0 && out < runs.length;
    }
  }
}

function leaveOut(runs, out) {
  for (const index of runs) if (out) choice.without.add(index); else choice.without.delete(index);
  changed();
}

// A box for each cell and each run, made when they are first looked at.
function listRuns() {
  const list = find("choose");
  if (list.childElementCount) return;
  data.cells.forEach((cell, number) => {
    const set = add(list, "fieldset");
    const legend = add(set, "legend");
    const whole = add(legend, "label", { class: "inline" });
    add(whole, "input", { type: "checkbox", "data-cell": number });
    add(whole, "span", {}, cell.name);
    whole.firstChild.addEventListener("change", (event) => leaveOut(cell.runs, !event.target.checked));
    for (const index of cell.runs) {
      const run = data.runs[index];
      const label = add(set, "label", { class: "inline" });
      const box = add(label, "input", { type: "checkbox", "data-run": index, "aria-label": runName(run) });
      add(label, "span", {}, run.rule === run.seed ? `seed ${run.seed}` : `seed ${run.seed}, rule ${run.rule}`);
      box.addEventListener("change", () => leaveOut([index], !box.checked));
    }
  });
  tellChoice();
}

function startChoice() {
  fill(find("group"), [...GROUPS.keys()].map((name) => [name, name]));
  for (const [name, values] of FILTERS) {
    const label = add(find("filters"), "label", {}, name);
    fill(add(label, "select", { id: filterId(name) }), [["", "all"], ...values.map((value) => [value, value])]);
    keepControl(filterId(name), changed);
  }
  keepControl("group", () => { choice.hidden.clear(); changed(); });
  const key = (index) => data.runs[index].key;
  // Whichever list is shorter.
  const others = () => everyRun.filter((index) => !choice.without.has(index));
  const fewer = () => others().length < choice.without.size;
  keep("only", () => (fewer() ? [others().map(key).join(".")] : []), ([text]) => {
    choice.without = new Set(text === undefined ? [] : everyRun.filter((index) => !text.split(".").includes(key(index))));
  });
  keep("without", () => (fewer() || !choice.without.size ? [] : [[...choice.without].map(key).join(".")]), ([text]) => {
    if (text !== undefined) choice.without = new Set(everyRun.filter((index) => text.split(".").includes(key(index))));
  });
  keep("hide", () => [...choice.hidden], (texts) => { choice.hidden = new Set(texts); });
  find("choose").parentNode.addEventListener("toggle", listRuns);
  find("choose-all").addEventListener("click", () => { choice.hidden.clear(); leaveOut(everyRun, false); });
  find("choose-none").addEventListener("click", () => leaveOut(everyRun, true));
  find("choose-middle").addEventListener("click", () => {
    choice.without = new Set(everyRun.filter((index) => cellOf(index).middle !== index));
    changed();
  });
  find("choose-reset").addEventListener("click", () => {
    for (const control of document.querySelectorAll("#filters select")) control.value = "";
    choice.hidden.clear();
    choice.without.clear();
    changed();
  });
  copyButton(find("copy-link"), written);
}

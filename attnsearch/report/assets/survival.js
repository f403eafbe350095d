// Kaplan-Meier curves: the share of runs that are still searching, by mixer or by cell.

function drawSurvival() {
  const view = data.survival.views[find("survival-view").value];
  const banded = find("survival-bands").checked;
  const shown = view.curves.map((index) => data.survival.curves[index]);
  const ends = shown.map((curve) => curve.last);
  const firsts = shown.map((curve) => Math.max(curve.first, 1));
  const [low, high] = [Math.min(...firsts) / 1.3, Math.max(...ends, 2 * Math.min(...firsts))];
  const plot = chart(find("survival"), {
    height: 300, label: view.summary, left: 40, right: 20, top: 30,
    x: { domain: [low, high], log: true, label: "training step" },
    y: { domain: [0, 1], label: "share of runs still searching" },
  });
  const { svg, x, y } = plot;
  add(svg, "line", { class: "level", x1: plot.left, x2: plot.right, y1: y(0.5), y2: y(0.5) });
  const list = find("survival-legend");
  list.replaceChildren();
  shown.forEach((curve, k) => {
    // What shares a colour differs in its dashes.
    const alike = shown.slice(0, k).filter((other) => other.series === curve.series).length;
    const mixed = shown.every((other) => other.series === curve.series);
    const dash = DASHES[(mixed ? alike : curve.series + alike) % DASHES.length];
    const group = add(svg, "g", { class: `survival ${series(curve.series)}` });
    const stairs = (values, from) => {
      let d = `M${x(low)} ${y(from)}`;
      curve.step.forEach((step, index) => { d += `H${x(Math.max(step, low)).toFixed(1)}V${y(values[index]).toFixed(1)}`; });
      return `${d}H${x(Math.max(curve.last, low)).toFixed(1)}`;
    };
    if (banded) {
      const back = [];
      curve.step.forEach((step, index) => back.unshift(`V${y(curve.low[index]).toFixed(1)}H${x(Math.max(step, low)).toFixed(1)}`));
      add(group, "path", { class: "band", d: `${stairs(curve.high, 1)}${back.join("")}V${y(1)}z` });
    }
    add(group, "path", { class: "line", d: stairs(curve.survival, 1), "stroke-dasharray": dash });
    for (const [step, level] of curve.censored) {
      add(group, "path", { class: "line tick", d: `M${x(Math.max(step, low)).toFixed(1)} ${(y(level) - 6).toFixed(1)}v12` });
    }
    if (curve.median !== null) {
      add(group, "path", { class: "mark", d: shape(curve.series)(5), transform: `translate(${x(Math.max(curve.median, low))} ${y(0.5)})` });
    }
    const entry = legendEntry(list, (sample) => {
      add(sample, "path", { class: `line ${series(curve.series)}`, d: "M-12 0H12", "stroke-dasharray": dash });
      add(sample, "path", { class: `mark ${series(curve.series)}`, d: shape(curve.series)(4) });
    }, `${curve.name}: ${curve.text}`);
    entry.addEventListener("pointerenter", () => { svg.classList.add("picking"); group.classList.add("picked"); });
    entry.addEventListener("pointerleave", () => { svg.classList.remove("picking"); group.classList.remove("picked"); });
  });
}

function startSurvival() {
  fill(find("survival-view"), data.survival.views.map((view, index) => [index, view.name]));
  find("survival-view").addEventListener("change", drawSurvival);
  find("survival-bands").addEventListener("change", drawSurvival);
  drawn(find("survival"), drawSurvival);
}

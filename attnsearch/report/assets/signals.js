// Early signals: how well what is seen at a step tells when a target will be found, by either half of the seeds.

// By how much the halves stand apart, so that neither hides the other.
const APART = 1.07;

function drawSignal(index) {
  const { name, halves, points } = data.signals[index];
  const holder = find(`signal-${index}`);
  const steps = data.signals.flatMap((signal) => signal.points.map((point) => point.step));
  const plot = chart(holder, {
    height: 240, left: 40,
    label: `${name}, rank correlation with the step of finding. ${points.map((point) => `Step ${count(point.step)}: ${point.verdict}`).join("; ")}.`,
    x: { domain: [Math.min(...steps) / 1.5, Math.max(...steps) * 1.5], log: true, label: "training step" },
    y: { domain: [-1, 1], label: name },
  });
  const { area, x, y } = plot;
  add(area, "line", { class: "level", x1: plot.left, x2: plot.right, y1: y(0), y2: y(0) });
  explore(holder, plot, halves.map((half, place) => ({
    name: `${name}, ${half} seeds`,
    element: add(area, "g"),
    points: points.map((point) => [point.step * APART ** (2 * place - 1), point.halves[place][0]]),
    draw() {
      for (const [at, point] of points.entries()) {
        const [step, value] = this.points[at], [, low, high] = point.halves[place];
        const paint = point.tells ? series(place) : "plain";
        add(this.element, "line", { class: `line ${paint}`, x1: x(step), x2: x(step), y1: y(low), y2: y(high) });
        add(this.element, "path", {
          class: `mark ${paint}${point.tells ? "" : " open"}`, d: shape(place)(4.5), transform: `translate(${x(step)} ${y(value)})`,
        });
      }
      return this;
    },
    told(step, value) {
      const point = points[this.points.findIndex(([one]) => one === step)];
      const [, low, high, runs, pairs] = point.halves[place];
      return `step ${count(point.step)}: ${decimal(value)}, ${decimal(low)} to ${decimal(high)}\n${runs} runs, ${count(pairs)} pairs; ${point.verdict}`;
    },
  }).draw()));
}

function startSignals() {
  // The section is there only where there are seeds enough.
  if (!data.signals.length) return;
  const legend = find("signals-legend");
  data.signals[0].halves.forEach((half, place) => legendEntry(legend, (svg) => {
    add(svg, "path", { class: `mark ${series(place)}`, d: shape(place)(4.5) });
  }, `${half} seeds`));
  legendEntry(legend, (svg) => add(svg, "path", { class: "mark open plain", d: shape(0)(4.5) }), "grey: not shown to tell");
  data.signals.forEach(({ name }, index) => {
    const draw = () => drawSignal(index);
    redrawn.push(draw);
    chartTools(`signal-${index}`, `Early signal, ${name}`, draw);
  });
}

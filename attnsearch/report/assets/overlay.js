// Curves of many runs over each other: their losses, the masses of their maps, or how many targets they found.

// More curves than this are neither told apart nor drawn in time.
const MOST_CURVES = 200;

const QUANTITIES = {
  loss: {
    label: "mean target loss (share of chance)",
    points: ({ detail }) => detail.loss_step.map((step, index) => [step, detail.means.at(index)]),
    told: (value) => `${decimal(value, 3)} of chance`,
  },
  map: {
    label: "map mass, mean of the targets",
    points: ({ detail }) => detail.map_step.map((step, index) => [
      Math.max(step, 1), mean(detail.support.map((_, row) => detail.masses.at(index, row)).filter(Number.isFinite)),
    ]),
    told: (value) => `map mass ${decimal(value)}`,
  },
  found: {
    label: "share of the targets that are found",
    stairs: true,
    points: ({ counts, targets, detail }) => [[10, 0], ...counts, [detail.loss_step.at(-1) ?? 10, counts.at(-1)?.[1] ?? 0]]
      .map(([step, found]) => [step, found / targets]),
    told: (value) => `${decimal(100 * value, 0)} % of the targets found`,
  },
};

async function drawOverlay() {
  const holder = find("overlay");
  const parts = chosenParts();
  partLegend(find("overlay-legend"), parts);
  const every = parts.filter((part) => !part.hidden).flatMap((part) => part.runs.map((index) => ({ part, index })));
  const some = every.length > MOST_CURVES
    ? [...Array(MOST_CURVES).keys()].map((k) => every[Math.floor(k * every.length / MOST_CURVES)]) : every;
  find("overlay-note").textContent = some.length < every.length
    ? `${MOST_CURVES} of ${count(every.length)} runs are drawn, evenly taken. Filter or choose for fewer.` : "";
  const drawing = some.map(({ index }) => index).join();
  holder.dataset.drawing = drawing;
  await busy(Promise.all(some.map(({ index }) => unpackCurves(data.runs[index]))));
  // Another choice may have been made while these were unpacked.
  if (holder.dataset.drawing !== drawing) return;
  const quantity = QUANTITIES[find("quantity").value];
  const logLoss = find("overlay-log").checked, loss = quantity === QUANTITIES.loss, log = loss && logLoss;
  find("overlay-log").parentNode.hidden = !loss;
  const lines = some.map(({ part, index }) => ({ part, index, points: quantity.points(data.runs[index]).filter(([, value]) => Number.isFinite(value)) }));
  const last = Math.max(...lines.map(({ points }) => points.at(-1)?.[0] ?? 10), 20);
  const top = loss ? Math.min(2, Math.max(1.05, ...lines.flatMap(({ points }) => points.map(([, value]) => value)))) : 1;
  const least = log ? 0.003 : 0;
  const plot = chart(holder, {
    height: 340, left: 46, right: 16, top: 30,
    label: `${quantity.label}, of ${lines.length} runs over training steps`,
    x: { domain: [10, last], log: true, label: "training step" },
    y: { domain: [least, top], log, label: quantity.label },
  });
  const { area, x, y } = plot;
  plot.first = 10;
  const curves = lines.map(({ part, index, points }) => {
    const limited = points.map(([step, value]) => [Math.max(step, 10), Math.max(value, least)]);
    const stairs = limited.map(([step, value], k) => (k ? `H${x(step).toFixed(1)}V${y(value).toFixed(1)}` : `M${x(step).toFixed(1)} ${y(value).toFixed(1)}`)).join("");
    const element = add(area, "path", {
      class: `line many ${series(part.colour)}${hasEnded(data.runs[index]) ? "" : " unfinished"}`, "data-run": index, "stroke-dasharray": dashOf(part),
      d: quantity.stairs ? stairs : path(limited, x, y),
    });
    const tip = limited.at(-1);
    if (!hasEnded(data.runs[index]) && tip) add(area, "circle", { class: `head ${series(part.colour)}`, r: 3.5, cx: x(tip[0]), cy: y(tip[1]) });
    return {
      name: runName(data.runs[index]), points: limited, stairs: quantity.stairs, element,
      told: (step, value) => `${quantity.told(value)} at step ${count(step)}`,
      open: () => selectRun(index, true),
    };
  });
  explore(holder, plot, curves);
}

function startOverlay() {
  redrawn.push(drawOverlay);
  for (const id of ["quantity", "overlay-log"]) keepControl(id, drawOverlay);
  // Another quantity has another height.
  find("quantity").addEventListener("change", () => showPart("overlay", null));
  chartTools("overlay", "Curves of the runs", drawOverlay);
}

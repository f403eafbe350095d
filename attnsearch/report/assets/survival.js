// Kaplan-Meier curves: the share of runs that are still searching, of every cell or of whole groups.

// More curves than this are drawn, but said to be too many.
const TOLD_APART = 40;

const TAIL = 0.025, NORMAL = 1.959963984540054;

// Of waiting times { length, ended }, as attnsearch.stats.survival computes it: the curve with its log-log limits
// after each step at which a run ended, the censored steps with their levels, and the median.
function kaplanMeier(waiting) {
  const ordered = [...waiting].sort((a, b) => a.length - b.length || b.ended - a.ended);
  const rows = [], censored = new Map();
  let share = 1, hazard = 0;
  ordered.forEach(({ length, ended }, index) => {
    const risk = ordered.length - index;
    if (!ended) { censored.set(length, share); return; }
    share *= 1 - 1 / risk;
    hazard += 1 / (risk * Math.max(risk - 1, 1));
    if (rows.at(-1)?.step === length) rows.pop();
    rows.push({ step: length, share, ...limits(share, hazard), risk });
  });
  const ends = ordered.filter(({ ended }) => ended).length;
  if (rows.length && rows.at(-1).share < 1e-9) {
    // There the interval is the share that so many runs may have missed.
    rows.at(-1).high = Math.min(1 - TAIL ** (1 / ends), rows.at(-2)?.high ?? 1);
  }
  return {
    rows, censored: [...censored], ends, runs: ordered.length,
    median: rows.find((row) => row.share <= 0.5 + 1e-9)?.step ?? null,
    first: ordered[0].length, last: ordered.at(-1).length,
  };
}

function limits(share, hazard) {
  if (share < 1e-9) return { low: 0, high: 1 };
  const log = Math.log(share), width = NORMAL * Math.sqrt(hazard) / -log;
  return { low: Math.exp(log * Math.exp(width)), high: Math.exp(log * Math.exp(-width)) };
}

const waitingOf = (index) => ({ length: data.runs[index].plateau, ended: data.runs[index].escaped });

// Of all runs of a part that have ended. Of runs that the page does not hold, no more is known than their cell.
function waitingIn(part) {
  const cells = wholeCells() ? [...new Set(part.runs.map((index) => cellOf(index)))] : [];
  const others = cells.flatMap((cell) => cell.others).map(([length, ended]) => ({ length, ended: ended === 1 }));
  return [...counted(part).map(waitingOf), ...others];
}

function drawSurvival() {
  const parts = chosenParts({ pooled: find("pooled").checked });
  const shown = parts.filter((part) => !part.hidden && counted(part).length);
  const texts = new Map();
  for (const part of parts) {
    if (!counted(part).length) { texts.set(part.name, `${part.name}: no run has ended`); continue; }
    part.curve = kaplanMeier(waitingIn(part));
    const { ends, runs, median } = part.curve;
    part.text = `${ends} of ${runs} escaped, median ${median === null ? "not reached" : `${count(median)} steps`}`;
    texts.set(part.name, `${part.name}: ${part.text}`);
  }
  partLegend(find("survival-legend"), parts, texts);
  find("survival-note").textContent = shown.length > TOLD_APART
    ? `${shown.length} curves are more than can be told apart. Filter or hide some, or draw one curve a colour.` : "";
  const curves = shown.map((part) => part.curve);
  const least = Math.max(Math.min(...curves.map((curve) => curve.first)), 1);
  const low = (shown.length ? least : 10) / 1.3;
  const plot = chart(find("survival"), {
    height: 300, left: 40, right: 20, top: 30,
    label: `Runs still searching. ${shown.map((part) => texts.get(part.name)).join("; ") || "No run is shown"}.`,
    x: { domain: [low, Math.max(...curves.map((curve) => curve.last), 2 * low * 1.3)], log: true, label: "training step" },
    y: { domain: [0, 1], label: "share of runs still searching" },
  });
  const { area, x, y } = plot;
  plot.first = low;
  add(area, "line", { class: "level", x1: plot.left, x2: plot.right, y1: y(0.5), y2: y(0.5) });
  const across = (step) => x(Math.max(step, low)).toFixed(1);
  const told = shown.map((part) => {
    const { rows, censored, median, last } = part.curve;
    const group = add(area, "g", { class: `survival ${series(part.colour)}` });
    const stairs = (key) => rows.reduce((d, row) => `${d}H${across(row.step)}V${y(row[key]).toFixed(1)}`, `M${x(low)} ${y(1)}`) + `H${across(last)}`;
    if (find("survival-bands").checked) {
      const back = rows.map((row) => `V${y(row.low).toFixed(1)}H${across(row.step)}`).reverse().join("");
      add(group, "path", { class: "band", d: `${stairs("high")}${back}V${y(1)}z` });
    }
    add(group, "path", { class: "line", d: stairs("share"), "stroke-dasharray": dashOf(part) });
    for (const [step, level] of censored) {
      add(group, "path", { class: "line tick", d: `M${across(step)} ${(y(level) - 6).toFixed(1)}v12` });
    }
    if (median !== null) {
      add(group, "path", { class: "mark", d: shape(part.colour)(5), transform: `translate(${across(median)} ${y(0.5)})` });
    }
    const pick = (on) => { plot.svg.classList.toggle("pointing", on); group.classList.toggle("pointed", on); };
    part.entry.addEventListener("pointerenter", () => pick(true));
    part.entry.addEventListener("pointerleave", () => pick(false));
    const ends = rows.length && rows.at(-1).step === last ? [] : [[last, rows.at(-1)?.share ?? 1]];
    return {
      name: part.name, stairs: true, element: group,
      points: [[low, 1], ...rows.map((row) => [row.step, row.share]), ...ends],
      told: (step, share) => `${decimal(100 * share, 0)} % of ${part.curve.runs} runs still searching after step ${count(step)}`,
    };
  });
  explore(find("survival"), plot, told);
}

function startSurvival() {
  redrawn.push(drawSurvival);
  keepControl("pooled", drawSurvival);
  keepControl("survival-bands", drawSurvival);
  chartTools("survival", "Runs still searching", drawSurvival);
}

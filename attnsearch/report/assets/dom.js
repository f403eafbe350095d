// Elements, numbers as text, and the one tooltip of the page.

const data = JSON.parse(document.getElementById("data").textContent);

// What belongs to this page and not to its elements ends with it: another state of the page may take its place.
const over = new AbortController();

// Of each part that keeps something: whether its reader is engaged in it, and what it does before the page ends.
const leaving = [];

const find = (id) => document.getElementById(id);

function add(parent, name, attributes = {}, text = "") {
  const drawn = parent.namespaceURI === "http://www.w3.org/2000/svg" || name === "svg";
  const child = drawn
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) child.setAttribute(key, value);
  // As text, never as markup: names come from whoever made the runs.
  if (text !== "") child.textContent = text;
  parent.append(child);
  return child;
}

function fill(select, options) {
  select.replaceChildren();
  for (const [value, text] of options) add(select, "option", { value }, text);
}

const count = (number) => Math.round(number).toLocaleString("en");
const decimal = (number, digits = 2) => (Number.isFinite(number) ? number.toFixed(digits) : "none");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const tip = add(document.body, "div", { class: "tip", "aria-hidden": "true" });
tip.hidden = true;

function showTip(text, left, top) {
  tip.textContent = text;
  tip.hidden = false;
  const { clientWidth: width } = document.documentElement;
  const box = tip.getBoundingClientRect();
  const above = top - box.height - 12;
  tip.style.left = `${scrollX + Math.max(8, Math.min(left - box.width / 2, width - box.width - 8))}px`;
  tip.style.top = `${scrollY + (above > 4 ? above : top + 16)}px`;
}

const hideTip = () => { tip.hidden = true; };

// Draws again whenever the width of `holder` changes, and once at the start.
function drawn(holder, draw) {
  let width = 0;
  const again = () => {
    if (holder.clientWidth === width) return;
    width = holder.clientWidth;
    draw();
  };
  again();
  // In a frame of its own: what is drawn changes the height of what is observed.
  const observer = new ResizeObserver(() => requestAnimationFrame(() => { if (!over.signal.aborted) again(); }));
  observer.observe(holder);
  over.signal.addEventListener("abort", () => observer.disconnect());
}

let working = 0;

// The page says that it is busy until `work`, a promise, is done.
async function busy(work) {
  working += 1;
  find("main").setAttribute("aria-busy", "true");
  try {
    return await work;
  } finally {
    working -= 1;
    if (working === 0) find("main").removeAttribute("aria-busy");
  }
}

// A page that follows a sweep: it asks whoever serves it for later states, and puts one in its own place.

// Milliseconds without any touch before the page changes under its reader's eyes; more where a list may be open.
const LEFT_ALONE = 1_500, LIST_OPEN = 10_000;

const live = { held: false, touched: -Infinity, pressed: false, newer: false, script: document.currentScript };

for (const kind of ["pointermove", "pointerdown", "wheel", "keydown", "input", "touchmove"]) {
  addEventListener(kind, () => { live.touched = performance.now(); }, { signal: over.signal, passive: true, capture: true });
}
addEventListener("pointerdown", () => { live.pressed = true; }, { signal: over.signal, capture: true });
for (const kind of ["pointerup", "pointercancel", "blur"]) {
  addEventListener(kind, () => { live.pressed = false; }, { signal: over.signal, capture: true });
}

// Whether the reader is in the middle of something that a new state would break off.
function reading() {
  const idle = performance.now() - live.touched;
  // Nobody can tell whether its list is open.
  const list = document.activeElement instanceof HTMLSelectElement && idle < LIST_OPEN;
  return live.pressed || list || idle < LEFT_ALONE || leaving.some(({ busy: engaged }) => engaged());
}

function tellLive(text) {
  find("live").textContent = text;
  find("show-now").hidden = !live.newer;
}

const clockOf = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB");

async function ask() {
  if (over.signal.aborted) return;
  let text = "";
  try {
    const answer = await fetch("state", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const { revision, looked, root } = await answer.json();
    live.newer = revision !== data.revision;
    text = live.newer ? "A later state is there." : `As of ${clockOf(looked)}, when ${root} was last looked at.`;
    if (live.newer && !live.held && !reading() && working === 0) {
      await renew();
      if (over.signal.aborted) return;
    }
  } catch {
    text = `No answer at ${clockOf(Date.now() / 1000)}: the command that serves this page has ended. The page stays as it is.`;
  }
  if (over.signal.aborted) return;
  tellLive(live.held ? `Held. ${text}` : text);
  setTimeout(ask, 1000 * data.pause);
}

// The later state takes the place of this one, and the same script starts on it.
async function renew() {
  const answer = await fetch("./", { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.statusText);
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  const own = (page) => [page.querySelector("body > script:not([type])"), page.querySelector("style")];
  const [script, style] = own(next);
  for (const { leave } of leaving) leave();
  if (script.textContent !== live.script.textContent || style.textContent !== own(document)[1].textContent) {
    // Another version of the program: its security policy is another one too.
    location.reload();
    return;
  }
  const started = document.createElement("script");
  started.textContent = script.textContent;
  started.dataset.whereabouts = JSON.stringify(whereabouts());
  over.abort();
  document.title = next.title;
  document.body.replaceWith(next.body);
  script.replaceWith(started);
}

find("hold").addEventListener("click", () => {
  live.held = !live.held;
  find("hold").setAttribute("aria-pressed", live.held);
  find("hold").textContent = live.held ? "Let it go on" : "Hold this page";
});
find("show-now").addEventListener("click", () => { if (working === 0) renew().catch(() => {}); });

// The runs of the table, each by a button that opens it.
(data.training ?? []).forEach((index, row) => {
  const cell = document.querySelector("#training tbody").rows[row].cells[0];
  const text = cell.textContent;
  cell.textContent = "";
  add(cell, "button", { type: "button", class: "small-button" }, text).addEventListener("click", () => selectRun(index, true));
});

if (live.script.dataset.whereabouts !== undefined) goTo(JSON.parse(live.script.dataset.whereabouts));
setTimeout(ask, 1000 * data.pause);

// Where the reader is on the page: what is open, scrolled and in focus, in words that another state understands.

// An element by the nearest one with an id, and by its place below that.
function placeOf(element) {
  const steps = [];
  let at = element;
  for (; at.id === "" && at !== document.body; at = at.parentElement) steps.unshift([...at.parentElement.children].indexOf(at));
  return [at.id, ...steps];
}

function elementAt([id, ...steps]) {
  let at = id === "" ? document.body : find(id);
  for (const step of steps) at = at?.children[step];
  return at ?? null;
}

// The first part of the page that is in sight, and how far its top is from the top of the window.
function inSight() {
  const parts = [...document.querySelectorAll("body > header, main > section, body > footer")];
  const part = parts.find((one) => one.getBoundingClientRect().bottom > 0);
  return part === undefined ? null : { place: placeOf(part), top: part.getBoundingClientRect().top };
}

function scrollToSight(sight) {
  const part = sight === null ? null : elementAt(sight.place);
  if (part !== null) scrollBy({ top: part.getBoundingClientRect().top - sight.top, behavior: "instant" });
}

function whereabouts() {
  const scrolled = [...document.querySelectorAll("body *")].filter((one) => one.scrollTop > 0 || one.scrollLeft > 0);
  const focus = document.activeElement;
  return {
    sight: inSight(),
    height: document.body.scrollHeight,
    open: [...document.querySelectorAll("details")].filter((one) => one.open).map(placeOf),
    scrolled: scrolled.map((one) => [placeOf(one), one.scrollLeft, one.scrollTop]),
    focus: focus === null || focus === document.body ? null : placeOf(focus),
  };
}

// Goes where the reader was on an earlier state of the page, once at the start and again when all is drawn.
async function goTo({ sight, height, open, scrolled, focus }) {
  for (const place of open) {
    const one = elementAt(place);
    if (one instanceof HTMLDetailsElement) one.open = true;
  }
  const go = () => {
    for (const [place, left, top] of scrolled) elementAt(place)?.scrollTo({ left, top, behavior: "instant" });
    scrollToSight(sight);
  };
  // The page stays as long as it was while parts of it are not drawn yet.
  document.body.style.minHeight = `${height}px`;
  go();
  if (focus !== null) elementAt(focus)?.focus({ preventScroll: true });
  do await new Promise((resolve) => { setTimeout(resolve, 20); }); while (working > 0);
  if (over.signal.aborted) return;
  document.body.style.minHeight = "";
  go();
}

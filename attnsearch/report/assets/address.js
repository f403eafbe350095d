// The view in the address: a link opens the page as whoever copied it saw it.

// What the address keeps: { key, get: () => texts, none where all is as at first; set: (texts) => void }.
const kept = [];
let writing = null;

function keep(key, get, set) { kept.push({ key, get, set }); }

// A box or a list of the page by its own id.
function keepControl(id, changed) {
  const control = find(id), ticked = control.type === "checkbox";
  const first = ticked ? control.checked : control.value;
  const now = () => (ticked ? control.checked : control.value);
  keep(id, () => (now() === first ? [] : [ticked ? String(Number(now())) : now()]), ([text]) => {
    if (ticked) control.checked = text === undefined ? first : text === "1";
    else control.value = text ?? first;
    // A word of an address that the list does not have.
    if (!ticked && control.value === "") control.value = first;
  });
  control.addEventListener("change", () => { changed(); remember(); });
}

function written() {
  const words = new URLSearchParams();
  for (const { key, get } of kept) for (const text of get()) words.append(key, text);
  const address = new URL(location.href);
  const view = words.toString();
  // The name of a section stays until there is something else to say.
  if (view || address.hash.includes("=")) address.hash = view;
  return address.href;
}

// Browsers take few changes of the address at a time.
function remember() {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", written()), 200);
}

// Whether the address holds a view, which is then the page's.
function recall() {
  if (!location.hash.includes("=")) return false;
  const words = new URLSearchParams(location.hash.slice(1));
  for (const { key, set } of kept) set(words.getAll(key));
  return true;
}

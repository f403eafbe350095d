// What a reader takes away of a report: charts and maps as SVG, commands by a button. All of it is made in the page.

// Tells what was done where whoever cannot see the button hears it.
function say(text) { find("said").textContent = text; }

// Presentation attributes in place of the page's style sheet, which does not travel with a picture.
const PAINT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity",
  "font-size", "font-family", "text-anchor", "paint-order"];
const DROPPED = ["class", "tabindex", "role", "aria-label", "aria-hidden", "aria-current", "aria-roledescription"];

// Not every program reads colours as a browser computes mixed ones.
const inRgb = (value) => value.replace(/color\(srgb ([\d.]+) ([\d.]+) ([\d.]+)\)/, (_, ...parts) =>
  `rgb(${parts.slice(0, 3).map((part) => Math.round(255 * part)).join(", ")})`);

function painted(element) {
  const copy = element.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [element, ...element.querySelectorAll("*")].forEach((one, index) => {
    const style = getComputedStyle(one);
    if (style.display === "none") { copies[index].setAttribute("display", "none"); return; }
    for (const name of PAINT) copies[index].setAttribute(name, inRgb(style.getPropertyValue(name)));
    for (const name of DROPPED) copies[index].removeAttribute(name);
  });
  return copy;
}

// A chart as a picture by itself: on its ground, with the legend below.
function svgOf(svg, legend) {
  const picture = painted(svg);
  const width = svg.viewBox.baseVal.width, height = svg.viewBox.baseVal.height;
  add(picture, "title", {}, svg.getAttribute("aria-label"));
  let left = 8, bottom = height + 22;
  for (const entry of legend?.querySelectorAll("li:not(.off)") ?? []) {
    const text = entry.textContent, wide = 40 + 7 * text.length;
    if (left > 8 && left + wide > width) { left = 8; bottom += 20; }
    const mark = add(picture, "g", { transform: `translate(${left + 13} ${bottom - 4})` });
    mark.append(...painted(entry.querySelector("svg")).childNodes);
    add(picture, "text", { x: left + 32, y: bottom, "font-size": 12, "font-family": "sans-serif", fill: inRgb(colour("--ink")) }, text);
    left += wide;
  }
  const tall = legend?.children.length ? bottom + 12 : height;
  const margin = 10, box = { width: width + 2 * margin, height: tall + 2 * margin };
  picture.setAttribute("viewBox", `${-margin} ${-margin} ${box.width} ${box.height}`);
  for (const [name, value] of Object.entries(box)) picture.setAttribute(name, value);
  const ground = add(picture, "rect", { x: -margin, y: -margin, ...box, fill: colour("--panel") });
  picture.prepend(ground);
  return new XMLSerializer().serializeToString(picture);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where the clipboard is closed to pages: the older way, by a selection.
    const area = add(document.body, "textarea", { class: "unseen", readonly: "" }, text);
    const before = document.activeElement;
    area.select();
    document.execCommand("copy");
    area.remove();
    before?.focus();
  }
}

function copyButton(button, text) {
  const name = button.textContent;
  button.addEventListener("click", async () => {
    await copyText(text());
    button.textContent = "Copied";
    say(`${name}: copied`);
    setTimeout(() => { button.textContent = name; }, 2000);
  });
}

function startDownloads() {
  const commands = [...document.querySelectorAll(".command")];
  for (const command of commands) {
    const button = add(document.createElement("div"), "button", { type: "button", class: "small-button" }, "Copy");
    button.setAttribute("aria-label", command.getAttribute("aria-label").replace("Command", "Copy the command"));
    command.before(button);
    copyButton(button, () => command.textContent);
  }
  if (commands.length > 1) {
    copyButton(find("copy-commands"), () => `${commands.map((command) => command.textContent).join("\n")}\n`);
    find("copy-commands").hidden = false;
  }
  for (const button of document.querySelectorAll("[data-map]")) {
    button.addEventListener("click", () => {
      const canvas = find(button.dataset.map);
      if (canvas.picture !== undefined) saveAs(`${fileStem(canvas.getAttribute("aria-label").split(":")[0])}.svg`, "image/svg+xml", mapAsSvg(canvas));
    });
  }
}

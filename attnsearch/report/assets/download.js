// What a reader takes away: charts as SVG, tables as CSV, commands by a button. All of it is made in the page.

function saveAs(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  add(document.body, "a", { href: address, download: name, hidden: "" }).click();
  document.body.lastChild.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

const fileStem = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60);

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

// A table as it stands, notes in columns of their own. What a spreadsheet would compute stays text.
function csvOf(table) {
  const headings = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows].map((row) => [...row.cells]);
  const noted = headings.map((_, column) => rows.some((row) => row[column].querySelector("small")));
  const plainNumber = (text) => (/^-?\d{1,3}(,\d{3})*(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text);
  const field = (text) => {
    const number = plainNumber(text.trim());
    const kept = /^[=+\-@\t\r\n]/.test(number) && !/^-?[\d.]+$/.test(number) ? `'${number}` : number;
    return /[",\n]/.test(kept) ? `"${kept.replaceAll('"', '""')}"` : kept;
  };
  const parts = (cell) => {
    const small = cell.querySelector("small")?.textContent ?? "";
    return [cell.textContent.slice(0, cell.textContent.length - small.length), small];
  };
  const line = (texts) => texts.map(field).join(",");
  const spread = (cells, second) => cells.flatMap((cell, column) => {
    const [first, small] = parts(cell);
    return noted[column] ? [first, second(first, small)] : [first];
  });
  const body = rows.map((row) => line(spread(row, (_, small) => small)));
  return `${[line(spread(headings, (first) => `${first}, note`)), ...body].join("\n")}\n`;
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
  NARROW.addEventListener("change", stackTables);
  stackTables();
  for (const table of document.querySelectorAll("main table")) {
    const { caption } = table;
    const name = caption.textContent.split(/[:;,.]/)[0];
    const button = add(caption, "button", { type: "button", class: "small-button", "aria-label": `Download CSV: ${name}` }, "CSV");
    button.addEventListener("click", () => saveAs(`${fileStem(name)}.csv`, "text/csv", csvOf(table)));
  }
  const commands = [...document.querySelectorAll(".command")];
  for (const command of commands) {
    const button = add(document.createElement("div"), "button", { type: "button", class: "small-button" }, "Copy");
    button.setAttribute("aria-label", command.getAttribute("aria-label").replace("Command", "Copy the command"));
    command.before(button);
    copyButton(button, () => command.textContent);
  }
  copyButton(find("copy-commands"), () => `${commands.map((command) => command.textContent).join("\n")}\n`);
  find("copy-commands").hidden = commands.length < 2;
  for (const button of document.querySelectorAll("[data-map]")) {
    button.addEventListener("click", () => {
      const canvas = find(button.dataset.map);
      if (canvas.picture !== undefined) saveAs(`${fileStem(canvas.getAttribute("aria-label").split(":")[0])}.svg`, "image/svg+xml", mapAsSvg(canvas));
    });
  }
}

const NARROW = matchMedia("(max-width: 44rem)");

// On a narrow screen each row of a table is a block, and each number stands beside its heading.
function stackTables() {
  const roles = [["thead, tbody", "rowgroup"], ["tr", "row"], ["thead th", "columnheader"], ["td", "cell"], ["tbody th", "rowheader"]];
  for (const table of document.querySelectorAll("main table")) {
    table.classList.toggle("stacked", NARROW.matches);
    if (!NARROW.matches) continue;
    // Blocks would lose what a table says to a screen reader.
    table.setAttribute("role", "table");
    for (const [selector, role] of roles) {
      for (const one of table.querySelectorAll(selector)) one.setAttribute("role", role);
    }
    const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, column) => { cell.dataset.label = headings[column]; });
    }
  }
}

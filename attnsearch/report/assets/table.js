// Tables: each can be saved as CSV, and is stacked on a narrow screen. What is saved is made in the page.

function saveAs(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  add(document.body, "a", { href: address, download: name, hidden: "" }).click();
  document.body.lastChild.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

const fileStem = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60);

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

NARROW.addEventListener("change", stackTables, { signal: over.signal });
stackTables();
for (const table of document.querySelectorAll("main table")) {
  const { caption } = table;
  const name = caption.textContent.split(/[:;.]/)[0];
  const button = add(caption, "button", { type: "button", class: "small-button", "aria-label": `Download CSV: ${name}` }, "CSV");
  button.addEventListener("click", () => saveAs(`${fileStem(name)}.csv`, "text/csv", csvOf(table)));
}

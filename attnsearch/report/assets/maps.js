// Maps as cells on a canvas: the true one, the measured one, and the weights of heads.

// Deflated numbers in base64 as an array with a shape; the largest 16-bit code is none.
async function unpack({ bytes, scale, shape: sizes, data: text }) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new DataView(await new Response(stream).arrayBuffer());
  const values = new Float32Array(raw.byteLength / bytes);
  let largest = 0;
  for (let index = 0; index < values.length; index += 1) {
    const code = bytes === 1 ? raw.getUint8(index) : raw.getUint16(2 * index, true);
    values[index] = bytes === 2 && code === 65535 ? NaN : code / scale;
    if (values[index] > largest) largest = values[index];
  }
  const at = (...place) => values[place.reduce((offset, index, axis) => offset * sizes[axis] + index, 0)];
  return { shape: sizes, at, largest };
}

// What the curves of many runs are drawn from.
async function unpackCurves({ detail }) {
  if (detail.means) return;
  const [means, masses] = await Promise.all([detail.loss_mean, detail.map_mass].map(unpack));
  Object.assign(detail, { means, masses });
}

async function unpackRun(run) {
  await unpackCurves(run);
  const { detail } = run;
  if (detail.losses) return;
  const { heads } = detail;
  if (heads !== null) {
    const parts = [heads.mass, heads.entropy, ...(heads.weights === null ? [] : [heads.weights])];
    [heads.masses, heads.entropies, heads.values] = await Promise.all(parts.map(unpack));
  }
  const [losses, shares] = await Promise.all([detail.loss, detail.map].map(unpack));
  Object.assign(detail, { losses, shares });
}

function hue(stops, share) {
  const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const index = Math.min(Math.floor(place), stops.length - 2);
  const mixed = stops[index].map((part, k) => Math.round(part + (place - index) * (stops[index + 1][k] - part)));
  return `rgb(${mixed.join(" ")})`;
}

function mapColours() {
  const parse = (name) => [1, 3, 5].map((at) => parseInt(colour(name).slice(at, at + 2), 16));
  return ["--map-0", "--map-1", "--map-2", "--map-3"].map(parse);
}

// What a map shows: `value(row, column)` in [0, 1] or more, found targets lit, supports dotted. Positions that
// were never probed have no column: a hatched one stands for each run of them.
function drawMap(canvas, run, { value, top, lit, picked, dotted, label }) {
  const { positions, gaps, states, queries, length } = run.detail;
  const rows = queries.length, columns = positions.length;
  const holder = canvas.parentNode;
  const gutter = states === null ? 34 : 52, head = 18, gap = 8;
  // Weights may lie where no map can: on positions whose token never differs. All maps leave room for that.
  const others = positions.length < length ? 1 : 0;
  const elsewhere = canvas.id === "map-head" ? others : 0;
  const all = columns + gaps.length;
  // Of many rows, the cells are small enough for two maps and the slider to be seen at once.
  const size = Math.max(4, Math.min(34, 560 / rows, (holder.clientWidth - gutter - gap - 4) / (all + others)));
  const width = gutter + size * all + (elsewhere ? gap + size : 0) + 3;
  const height = head + size * rows + 3;
  const dense = devicePixelRatio || 1;
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  canvas.style.width = `${width}px`;
  canvas.setAttribute("aria-label", label);
  const paint = (pen) => paintMap(pen, run, { value, top, lit, picked, dotted, elsewhere, size, gutter, head, gap, width });
  canvas.picture = { width, height, paint };
  const pen = canvas.getContext("2d");
  pen.scale(dense, dense);
  paint(pen);
  const left = columnsFrom(run.detail, { size, gutter, gap });
  canvas.place = (event) => {
    const box = canvas.getBoundingClientRect();
    const shrunk = width / box.width;
    const row = Math.floor(((event.clientY - box.top) * shrunk - head) / size);
    const across = (event.clientX - box.left) * shrunk;
    const under = (column) => across >= left(column) && across < left(column) + size;
    const column = [...Array(columns + elsewhere).keys()].find(under);
    return row >= 0 && row < rows && column !== undefined ? { row, column } : null;
  };
}

// The left edge of each column; that of all other positions together stands apart, after the last.
function columnsFrom({ positions, gaps }, { size, gutter, gap }) {
  const before = positions.map((_, column) => gaps.filter((other) => other <= column).length);
  const all = positions.length + gaps.length;
  return (column) => gutter + (column === positions.length ? all * size + gap : (column + before[column]) * size);
}

function paintMap(pen, run, { value, top, lit, picked, dotted, elsewhere, size, gutter, head, gap, width }) {
  const { positions, gaps, states, marks, queries, support } = run.detail;
  const rows = queries.length, columns = positions.length, all = columns + gaps.length;
  const [stops, ink, ground, soft, shade, marked] = [mapColours(), colour("--ink"), colour("--panel"), colour("--soft"), colour("--hidden"), colour("--lit")];
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const left = columnsFrom(run.detail, { size, gutter, gap });
  const above = (row) => head + row * size;
  const visible = (row, column) => positions[column] <= queries[row];
  const every = Math.max(1, Math.ceil(20 / size));
  pen.textAlign = "center";
  pen.fillStyle = soft;
  const begins = (column) => states !== null && states[column] !== states[column - 1];
  let free = 0;
  positions.forEach((position, column) => {
    const place = left(column) + (states === null ? size / 2 : 9);
    const crowded = place < free || (elsewhere && place > width - 44);
    if (states === null ? column % every : !begins(column) || crowded) return;
    pen.fillText(states === null ? position : `s${states[column]}`, place, head / 2);
    free = place + 24;
  });
  gaps.forEach((column, count) => {
    hatch(pen, gutter + (column + count) * size, head, size - 0.75, size * rows - 0.75, soft);
  });
  if (elsewhere) pen.fillText("else", Math.min(left(columns) + size / 2, width - 13), head / 2);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns + elsewhere; column += 1) {
      const share = value(row, column);
      const seen = column === columns || visible(row, column) || share > 0;
      pen.fillStyle = seen ? hue(stops, share / top) : shade;
      pen.fillRect(left(column), above(row), size - 0.75, size - 0.75);
    }
    if (dotted) {
      for (const position of support[row]) {
        const column = positions.indexOf(position);
        if (column < 0) continue;
        pen.fillStyle = value(row, column) > 0.55 * top ? ground : ink;
        pen.beginPath();
        pen.arc(left(column) + (size - 0.75) / 2, above(row) + (size - 0.75) / 2, Math.max(Math.min(1.2, size / 6), size / 10), 0, 7);
        pen.fill();
      }
    }
    const found = lit(row);
    pen.fillStyle = found ? marked : soft;
    pen.textAlign = "right";
    if (row % every === 0 || row === picked) pen.fillText(marks[row], gutter - 15, above(row) + size / 2);
    pen.beginPath();
    pen.arc(gutter - 7, above(row) + size / 2, Math.min(3.5, size / 3), 0, 7);
    pen.strokeStyle = found ? marked : soft;
    pen.lineWidth = 1;
    if (found) pen.fill();
    pen.stroke();
  }
  pen.fillStyle = soft;
  positions.forEach((_, column) => {
    if (column > 0 && begins(column)) pen.fillRect(left(column) - 1, head, 1, size * rows);
  });
  for (let row = 0; row < rows; row += 1) {
    if (!lit(row) && row !== picked) continue;
    pen.strokeStyle = row === picked ? ink : marked;
    pen.lineWidth = row === picked ? 2.5 : Math.min(1.5, size / 8);
    pen.strokeRect(gutter - 1, above(row) - 0.5, size * all + 0.5, size - 0.25);
  }
}

function hatch(pen, left, above, width, height, shade) {
  pen.save();
  pen.beginPath();
  pen.rect(left, above, width, height);
  pen.clip();
  pen.beginPath();
  for (let up = -width; up < height; up += 5) {
    pen.moveTo(left, above + up + width);
    pen.lineTo(left + width, above + up);
  }
  pen.strokeStyle = shade;
  pen.lineWidth = 0.7;
  pen.stroke();
  pen.restore();
}

// A pen that writes SVG where a canvas has pixels: maps are drawn by either.

class SvgPen {
  constructor(width, height) {
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, width, height })) this.svg.setAttribute(name, value);
    this.layers = [this.svg];
    this.clips = 0;
    this.beginPath();
  }

  put(name, attributes, text = "") { return add(this.layers.at(-1), name, attributes, text); }
  beginPath() { this.outline = ""; }
  moveTo(x, y) { this.outline += `M${x} ${y}`; }
  lineTo(x, y) { this.outline += `L${x} ${y}`; }
  rect(x, y, width, height) { this.outline += `M${x} ${y}h${width}v${height}h${-width}z`; }
  // Circles alone are drawn.
  arc(x, y, r) { this.outline += `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`; }
  fill() { this.put("path", { d: this.outline, fill: this.fillStyle }); }
  stroke() { this.put("path", { d: this.outline, fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth }); }
  fillRect(x, y, width, height) { this.put("rect", { x, y, width, height, fill: this.fillStyle }); }

  strokeRect(x, y, width, height) {
    this.put("rect", { x, y, width, height, fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth });
  }

  fillText(text, x, y) {
    const anchor = { left: "start", center: "middle", right: "end" }[this.textAlign];
    this.put("text", { x, y: y + 4, fill: this.fillStyle, "text-anchor": anchor, "font-size": 11, "font-family": "sans-serif" }, String(text));
  }

  save() { this.layers.push(this.layers.at(-1)); }
  restore() { this.layers.pop(); }

  clip() {
    this.clips += 1;
    add(this.put("clipPath", { id: `part-${this.clips}` }), "path", { d: this.outline });
    this.layers[this.layers.length - 1] = this.put("g", { "clip-path": `url(#part-${this.clips})` });
  }
}

function mapAsSvg(canvas) {
  const { width, height, paint } = canvas.picture;
  const pen = new SvgPen(width, height);
  pen.fillStyle = colour("--panel");
  pen.fillRect(0, 0, width, height);
  paint(pen);
  add(pen.svg, "title", {}, canvas.getAttribute("aria-label"));
  return new XMLSerializer().serializeToString(pen.svg);
}

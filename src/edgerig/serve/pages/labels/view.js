// What is seen of a picture: itself, the masks and shapes over it, where the pen is; zoomed and panned.

import { TILE } from "./raster.js";
import { handles } from "./shapes.js";

const MOST = 64, MARGIN = 12, HATCH = 4;

export class View {
  constructor(canvas, colourOf) {
    Object.assign(this, { canvas, colourOf, image: null, document: null, scale: 1, x: 0, y: 0, opacity: 0.5 });
    Object.assign(this, { tiles: new Map(), selected: null, preview: null, draft: null, pen: null, changed: () => {}, frame: 0 });
    this.backdrop = document.createElement("canvas");
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  // ---- where things are: x, y of the picture's corner on the canvas in CSS pixels, and CSS pixels for each of its own

  resize() {
    const ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = this.canvas;
    const width = Math.round(clientWidth * ratio), height = Math.round(clientHeight * ratio);
    if (this.canvas.width === width && this.canvas.height === height && this.ratio === ratio) return;
    const fitted = this.fitted;
    Object.assign(this.canvas, { width, height });
    Object.assign(this.backdrop, { width, height });
    this.ratio = ratio;
    if (fitted) this.fit(); else this.moved();
  }

  show(image, document) {
    Object.assign(this, { image, document, selected: null, preview: null, draft: null });
    this.tiles.clear();
    if (document) this.recolour();
    this.fit();
  }

  fit() {
    const { clientWidth, clientHeight } = this.canvas, size = this.document;
    if (!size || !clientWidth) return;
    this.scale = Math.min((clientWidth - 2 * MARGIN) / size.width, (clientHeight - 2 * MARGIN) / size.height, MOST);
    this.x = (clientWidth - size.width * this.scale) / 2;
    this.y = (clientHeight - size.height * this.scale) / 2;
    this.moved();
    this.fitted = true;
  }

  // Zooms so that what is at (atX, atY) of the canvas stays there.
  zoom(factor, atX = this.canvas.clientWidth / 2, atY = this.canvas.clientHeight / 2) {
    const scale = Math.min(MOST, Math.max(0.02, this.scale * factor)), by = scale / this.scale;
    this.x = atX - (atX - this.x) * by;
    this.y = atY - (atY - this.y) * by;
    this.scale = scale;
    this.moved();
  }

  pan(right, down) {
    const { clientWidth, clientHeight } = this.canvas, { width = 0, height = 0 } = this.document ?? {};
    // Some of the picture stays in sight.
    this.x = Math.min(clientWidth - 40, Math.max(40 - width * this.scale, this.x + right));
    this.y = Math.min(clientHeight - 40, Math.max(40 - height * this.scale, this.y + down));
    this.moved();
  }

  // Pans as far as a point of the picture is out of sight.
  reveal([x, y]) {
    const { clientWidth, clientHeight } = this.canvas, edge = 30;
    const atX = this.x + x * this.scale, atY = this.y + y * this.scale;
    const right = Math.min(0, clientWidth - edge - atX) || Math.max(0, edge - atX);
    const down = Math.min(0, clientHeight - edge - atY) || Math.max(0, edge - atY);
    if (right || down) this.pan(right, down);
  }

  moved() {
    this.fitted = false;
    this.stale = true;
    this.draw();
    this.changed();
  }

  // A point of the picture, in its own pixels, from where a pointer is.
  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left - this.x) / this.scale, (event.clientY - box.top - this.y) / this.scale];
  }

  // The shape at a point: of several the smallest outline, else the mask there.
  shapeAt(x, y) {
    const context = this.canvas.getContext("2d"), hits = [];
    for (const { shape } of this.document.labels.values()) {
      if (shape.type === "mask") continue;
      context.save();
      context.resetTransform();
      this.outline(context, shape);
      if (context.isPointInPath(x, y, "evenodd")) hits.push(shape);
      context.restore();
    }
    const size = (shape) => {
      const xs = handles(shape).map((point) => point[0]), ys = handles(shape).map((point) => point[1]);
      return (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
    };
    if (hits.length) return hits.sort((a, b) => size(a) - size(b))[0];
    const [column, row] = [Math.floor(x), Math.floor(y)], { width, height, canvas, labels } = this.document;
    if (column < 0 || row < 0 || column >= width || row >= height) return null;
    return [...labels.values()].findLast(({ shape }) => shape.type === "mask" && canvas.has(shape.id, column, row))?.shape ?? null;
  }

  // Of a selected mask it is seen which one it is: the others are faint.
  select(id) {
    const masks = this.document?.canvas.masks;
    if (masks && (masks.has(id) || masks.has(this.selected))) this.recolour();
    this.selected = id;
  }

  recolour() {
    const { canvas } = this.document;
    for (const tiles of canvas.masks.values()) for (const key of tiles.keys()) canvas.dirty.add(key);
  }

  // ---- drawing: at most once a frame

  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint(); });
  }

  place(context) {
    const { ratio, scale, x, y } = this;
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
  }

  paint() {
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.document) return;
    // Scaling a large picture takes long: it is done when the view moves, and not for each point of a stroke.
    if (this.stale) this.paintBackdrop();
    context.drawImage(this.backdrop, 0, 0);
    this.place(context);
    this.paintMasks(context);
    for (const label of this.document.labels.values()) this.paintShape(context, label);
    if (this.draft) this.paintDraft(context, this.draft);
    if (this.pen) this.paintPen(context, this.pen);
  }

  paintBackdrop() {
    const context = this.backdrop.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.backdrop.width, this.backdrop.height);
    this.place(context);
    context.imageSmoothingEnabled = this.scale * this.ratio < 3;
    context.imageSmoothingQuality = "medium";
    if (this.image) context.drawImage(this.image, 0, 0, this.document.width, this.document.height);
    this.stale = false;
  }

  paintMasks(context) {
    const { canvas } = this.document;
    for (const key of canvas.dirty) this.compose(key);
    canvas.dirty.clear();
    context.imageSmoothingEnabled = false;
    context.globalAlpha = this.opacity;
    // What reaches over the picture's edge is cut off: tiles do.
    context.save();
    context.beginPath();
    context.rect(0, 0, this.document.width, this.document.height);
    context.clip();
    for (const [key, tile] of this.tiles) {
      context.drawImage(tile, (key % canvas.columns) * TILE, Math.floor(key / canvas.columns) * TILE);
    }
    context.restore();
    context.globalAlpha = 1;
  }

  // The colours of a tile: later masks over earlier ones, proposed ones hatched.
  compose(key) {
    const chosen = this.document.labels.get(this.selected)?.shape.type === "mask" ? this.selected : null;
    const pixels = new Uint32Array(TILE * TILE);
    for (const [name, tiles] of this.document.canvas.masks) {
      const mask = tiles.get(key), label = this.document.labels.get(name);
      if (!mask || !label) continue;
      const [red, green, blue] = rgb(this.colourOf(label.shape.label)), below = (blue << 16) | (green << 8) | red;
      const full = ((chosen && chosen !== name ? 0x60000000 : 0xff000000) | below) >>> 0, faint = (0x50000000 | below) >>> 0;
      for (let at = 0; at < pixels.length; at++) {
        if (mask[at]) pixels[at] = label.model && ((at + (at >> 8)) & (2 * HATCH - 1)) >= HATCH ? faint : full;
      }
    }
    if (!this.tiles.has(key)) {
      this.tiles.set(key, Object.assign(document.createElement("canvas"), { width: TILE, height: TILE }));
    }
    const image = new ImageData(new Uint8ClampedArray(pixels.buffer), TILE, TILE);
    this.tiles.get(key).getContext("2d").putImageData(image, 0, 0);
  }

  outline(context, shape) {
    context.beginPath();
    if (shape.type === "box") context.rect(...shape.box);
    else for (const part of shape.parts) for (const ring of part) trace(context, ring, true);
  }

  paintShape(context, label) {
    const { model } = label, selected = label.shape.id === this.selected;
    // While it is dragged it is seen where it would be.
    const shape = this.preview?.id === label.shape.id ? this.preview : label.shape;
    if (shape.type === "mask") return;
    const colour = this.colourOf(shape.label), thick = (selected ? 3 : 2) / this.scale;
    this.outline(context, shape);
    context.fillStyle = colour;
    context.globalAlpha = this.opacity * (selected ? 0.6 : 0.35);
    context.fill("evenodd");
    context.globalAlpha = 1;
    context.setLineDash(model ? [6 / this.scale, 4 / this.scale] : []);
    for (const [style, width] of [["#000a", thick + 1.5 / this.scale], [colour, thick]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke();
    }
    context.setLineDash([]);
    if (selected) for (const point of handles(shape)) this.paintHandle(context, point);
  }

  paintHandle(context, [x, y]) {
    const side = 9 / this.scale;
    context.fillStyle = "#fff";
    context.strokeStyle = "#000";
    context.lineWidth = 1 / this.scale;
    context.fillRect(x - side / 2, y - side / 2, side, side);
    context.strokeRect(x - side / 2, y - side / 2, side, side);
  }

  paintDraft(context, { points, label, end }) {
    context.beginPath();
    trace(context, end ? [...points, ...end] : points, false);
    for (const [style, width] of [["#000a", 4], [this.colourOf(label), 2]]) {
      context.strokeStyle = style;
      context.lineWidth = width / this.scale;
      context.stroke();
    }
    for (let index = 0; index < points.length; index += 2) this.paintHandle(context, points.slice(index, index + 2));
  }

  paintPen(context, { at: [x, y], radius, cross, down }) {
    const middle = [Math.floor(x) + 0.5, Math.floor(y) + 0.5], arm = 12 / this.scale;
    for (const [style, width] of [["#000", 3], ["#fff", 1.5]]) {
      context.strokeStyle = style;
      context.lineWidth = width / this.scale;
      context.beginPath();
      if (radius !== null) context.arc(...middle, radius + 0.5, 0, 2 * Math.PI);
      if (cross && !down) {
        context.moveTo(middle[0] - arm, middle[1]); context.lineTo(middle[0] + arm, middle[1]);
        context.moveTo(middle[0], middle[1] - arm); context.lineTo(middle[0], middle[1] + arm);
      }
      context.stroke();
    }
  }
}

function trace(context, ring, closed) {
  for (let index = 0; index < ring.length; index += 2) {
    if (index) context.lineTo(ring[index], ring[index + 1]);
    else context.moveTo(ring[0], ring[1]);
  }
  if (closed) context.closePath();
}

function rgb(colour) { return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)); }

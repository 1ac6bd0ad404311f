// The paper that one draws on: with mouse, finger, stylus or keyboard.

import { CANVAS, PEN, blankPaper, drawLine, ink } from "./drawing.js";

const STEP = 5, LONG_STEP = 20;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Draws on `canvas`; calls changed(strokes) after every change, and told(text) where a reader of screens should know.
export class Pad {
  constructor(canvas, { changed = () => {}, told = () => {} } = {}) {
    Object.assign(this, { canvas, changed, told, strokes: [], stroke: null, paper: blankPaper() });
    this.pen = [CANVAS / 2, CANVAS / 2];
    this.down = this.keyboard = false;
    canvas.width = canvas.height = CANVAS;
    canvas.tabIndex = 0;
    canvas.addEventListener("pointerdown", (event) => this.touch(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.lift(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.down = this.keyboard = false; this.stroke = null; this.paint(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.paint();
  }

  // ---- strokes

  begin(point) {
    this.stroke = [point];
    this.strokes.push(this.stroke);
    drawLine(this.paper, point, point, PEN);
    this.after();
  }

  extend(point) {
    drawLine(this.paper, this.stroke[this.stroke.length - 1], point, PEN);
    this.stroke.push(point);
    this.after();
  }

  // Takes strokes from elsewhere, or none.
  show(strokes) {
    this.strokes = strokes.map((stroke) => stroke.map(([x, y]) => [x, y]));
    this.stroke = null;
    this.down = false;
    this.paper = ink(this.strokes);
    this.after();
  }

  undo() { this.show(this.strokes.slice(0, -1)); }

  clear() { this.show([]); }

  after() {
    this.paint();
    this.changed(this.strokes);
  }

  // ---- pointers

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = CANVAS / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  touch(event) {
    if (event.button !== 0 || this.pointer !== undefined) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.keyboard = this.down = false;
    this.begin(this.point(event));
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.extend(this.point(each));
  }

  lift(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = undefined;
    this.stroke = null;
  }

  // ---- keys

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); this.undo(); }
      return;
    }
    const arrow = ARROWS[event.key];
    if (arrow) this.step(arrow, event.shiftKey ? LONG_STEP : STEP);
    else if (event.key === " ") this.turn();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Delete") this.clear();
    else return;
    this.keyboard = true;
    event.preventDefault();
    this.paint();
  }

  step([right, down], length) {
    const within = (value) => Math.max(0, Math.min(CANVAS, value));
    this.pen = [within(this.pen[0] + right * length), within(this.pen[1] + down * length)];
    if (this.down) this.extend([...this.pen]);
  }

  turn() {
    this.down = !this.down;
    if (this.down) this.begin([...this.pen]);
    else this.stroke = null;
    this.told(this.down ? "Pen down: arrow keys draw." : "Pen up: arrow keys move it.");
  }

  // ---- what is seen

  paint() {
    const context = this.canvas.getContext("2d"), pixels = context.createImageData(CANVAS, CANVAS);
    const colour = getComputedStyle(this.canvas).color.match(/\d+/g).slice(0, 3).map(Number);
    this.paper.forEach((value, index) => { if (value) pixels.data.set([...colour, value], 4 * index); });
    context.putImageData(pixels, 0, 0);
    if (this.keyboard) this.paintPen(context);
  }

  paintPen(context) {
    const [x, y] = this.pen;
    context.strokeStyle = getComputedStyle(this.canvas).getPropertyValue("--pen") || "#0b5cad";
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, PEN / 2, 0, 2 * Math.PI);
    if (!this.down) {
      context.moveTo(x - 6, y); context.lineTo(x + 6, y);
      context.moveTo(x, y - 6); context.lineTo(x, y + 6);
    }
    context.stroke();
  }
}

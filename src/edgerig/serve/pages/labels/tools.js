// What pointers and keys do on the picture: brush, eraser, polygon, box, selection and panning.

import { clamp, edited, handles } from "./shapes.js";

export const TOOLS = [
  { name: "brush", title: "Brush", key: "b", hint: "Drag to paint the mask of the class. N begins a new object." },
  { name: "eraser", title: "Eraser", key: "e", hint: "Drag to erase masks; of a selected mask only that one." },
  { name: "polygon", title: "Polygon", key: "p", hint: "Click points; Enter or a click on the first closes, Backspace takes one back." },
  { name: "area", title: "Area", key: "a", hint: "Click points around an area; Enter paints it, Shift Enter erases it." },
  { name: "box", title: "Box", key: "r", hint: "Drag from corner to corner." },
  { name: "select", title: "Select", key: "v", hint: "Click a shape; drag it or its points; Delete removes it." },
  { name: "pan", title: "Pan", key: "h", hint: "Drag the picture; the wheel zooms, two fingers do both." },
];
// Points after which a stroke goes on as another operation; how near a click is a hit, in CSS pixels.
const LONGEST = 4000, NEAR = 9;

export class Tools {
  // `app` has document, view, link's do() as act(operation), klass (the class's name), radius, target(), and say(text).
  constructor(app, canvas) {
    Object.assign(this, { app, canvas, tool: "brush", pointers: new Map(), stroke: null, drag: null, pen: null, down: false });
    const on = (name, use) => canvas.addEventListener(name, use);
    on("pointerdown", (event) => this.touch(event));
    on("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => this.lift(event, name === "pointercancel"));
    on("pointerleave", () => { if (!this.pointers.size && !this.pen) this.showPen(null); });
    on("dblclick", () => this.closePolygon());
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => this.wheel(event));
    on("blur", () => this.endKeys());
  }

  get view() { return this.app.view; }

  use(tool) {
    this.cancel();
    this.tool = tool;
    this.canvas.style.cursor = { pan: "grab", select: "default" }[tool] ?? "crosshair";
    this.showPen(this.pen);
  }

  // ---- pointers

  touch(event) {
    if (!this.app.document) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.pen = null;
    if (this.pointers.size === 2) { this.abandon(); this.pinch = this.spread(); return; }
    if (this.pointers.size > 2) return;
    const panning = this.tool === "pan" || event.button === 1 || this.app.panning;
    if (event.button > 1) return;
    if (panning) this.drag = { kind: "pan", at: [event.clientX, event.clientY] };
    else this.press(this.view.point(event), event.pointerType === "touch" ? 2 * NEAR : NEAR);
  }

  move(event) {
    if (!this.app.document) return;
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, event);
    if (this.pinch) { this.pinched(); return; }
    const point = this.view.point(event);
    if (event.pointerType !== "touch") this.showPen(point);
    if (this.drag?.kind === "pan") {
      this.view.pan(event.clientX - this.drag.at[0], event.clientY - this.drag.at[1]);
      this.drag.at = [event.clientX, event.clientY];
      return;
    }
    const events = event.getCoalescedEvents?.() ?? [];
    if (this.stroke) for (const each of events.length ? events : [event]) this.extend(this.view.point(each));
    else this.dragTo(point);
  }

  lift(event, cancelled) {
    this.pointers.delete(event.pointerId);
    if (this.pinch) { if (!this.pointers.size) this.pinch = null; return; }
    if (cancelled) this.abandon(); else this.release();
  }

  // Two fingers: how far apart, and where between them.
  spread() {
    const [a, b] = [...this.pointers.values()], box = this.canvas.getBoundingClientRect();
    return {
      apart: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)),
      at: [(a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top],
    };
  }

  pinched() {
    if (this.pointers.size < 2) return;
    const now = this.spread();
    this.view.pan(now.at[0] - this.pinch.at[0], now.at[1] - this.pinch.at[1]);
    this.view.zoom(now.apart / this.pinch.apart, ...now.at);
    this.pinch = now;
  }

  wheel(event) {
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    const lines = event.deltaMode === 1 ? 30 : 1;
    if (event.shiftKey) this.app.resize(event.deltaY + event.deltaX < 0 ? 1 : -1);
    else this.view.zoom(Math.exp(-event.deltaY * lines / 500), event.clientX - box.left, event.clientY - box.top);
  }

  // ---- pressing, dragging and releasing at points of the picture: pointers and keys alike

  press(point, near = NEAR) {
    const { tool } = this;
    if (tool === "brush" || tool === "eraser") this.begin(point);
    else if (tool === "box") this.drag = { kind: "box", from: this.corner(point) };
    else if (tool === "polygon" || tool === "area") this.addPoint(point, near);
    else if (tool === "select") this.pick(point, near);
  }

  dragTo(point) {
    const { drag } = this, draft = this.view.draft;
    if (drag?.kind === "box") {
      const [x0, y0] = drag.from, [x1, y1] = this.corner(point);
      this.view.draft = { points: [x0, y0, x1, y0, x1, y1, x0, y1, x0, y0], label: this.app.klass };
    } else if (drag?.kind === "edit") {
      drag.shape = edited(drag, this.corner(point), this.app.document);
      this.app.preview(drag.shape);
    } else if ((this.tool === "polygon" || this.tool === "area") && draft) draft.end = this.corner(point);
    else return;
    this.view.draw();
  }

  release() {
    const { drag, stroke } = this;
    this.drag = this.stroke = null;
    if (stroke) this.app.finish(stroke);
    if (drag?.kind === "box") this.finishBox();
    if (drag?.kind === "edit" && drag.shape) this.app.act({ kind: "put", shape: drag.shape });
  }

  // What was begun never was: a second finger came, or Escape.
  abandon() {
    if (this.stroke) this.app.abandon(this.stroke);
    if (this.drag?.kind === "edit") this.app.preview(null);
    this.stroke = this.drag = null;
    this.view.draft = null;
    this.view.draw();
  }

  cancel() {
    const busy = Boolean(this.stroke || this.drag || this.view.draft);
    this.abandon();
    this.endKeys();
    return busy;
  }

  // ---- brush and eraser: whole pixels

  begin(point) {
    const erase = this.tool === "eraser";
    if (!erase && !this.app.klass) { this.app.say("Choose a class first."); return; }
    const { radius } = this.app, mask = this.app.target(erase);
    const operation = { kind: "stroke", mask, label: erase ? "" : this.app.klass, radius, points: this.pixel(point), erase };
    this.stroke = this.app.begin(operation);
    this.view.draw();
  }

  extend(point) {
    const { operation } = this.stroke, pixel = this.pixel(point), [x, y] = operation.points.slice(-2);
    if (pixel[0] === x && pixel[1] === y) return;
    this.app.document.extend(this.stroke, pixel);
    this.view.draw();
    if (operation.points.length < 2 * LONGEST) return;
    this.app.finish(this.stroke);
    this.stroke = this.app.begin({ ...operation, points: [...pixel] });
  }

  pixel([x, y]) {
    const { width, height } = this.app.document, { radius } = this.app, out = radius + 1;
    return [clamp(Math.floor(x), -out, width + radius), clamp(Math.floor(y), -out, height + radius)];
  }

  // ---- boxes and polygons: corners of pixels

  corner([x, y]) {
    const { width, height } = this.app.document;
    return [clamp(Math.round(x), 0, width), clamp(Math.round(y), 0, height)];
  }

  finishBox() {
    const points = this.view.draft?.points;
    this.view.draft = null;
    this.view.draw();
    if (!points) return;
    const [left, top] = [Math.min(points[0], points[4]), Math.min(points[1], points[5])];
    const [width, height] = [Math.abs(points[4] - points[0]), Math.abs(points[5] - points[1])];
    if (width < 1 || height < 1) return;
    this.app.create({ type: "box", box: [left, top, width, height] });
  }

  addPoint(point, near) {
    const at = this.corner(point), draft = this.view.draft ?? { points: [], label: this.app.klass };
    const { points } = draft, reach = near / this.view.scale;
    if (!this.app.klass) { this.app.say("Choose a class first."); return; }
    if (points.length >= 6 && Math.hypot(at[0] - points[0], at[1] - points[1]) <= reach) { this.closePolygon(); return; }
    if (points.at(-2) !== at[0] || points.at(-1) !== at[1]) points.push(...at);
    this.view.draft = draft;
    this.view.draw();
  }

  removePoint() {
    const draft = this.view.draft;
    if (!draft || this.drag) return false;
    draft.points.splice(-2);
    if (!draft.points.length) this.view.draft = null;
    this.view.draw();
    return true;
  }

  // A polygon is complete, or an area that is painted or erased; false where none was begun.
  closePolygon(erase = false) {
    const draft = this.view.draft;
    if (!draft || this.drag) return false;
    this.view.draft = null;
    this.view.draw();
    if (this.tool === "area" && draft.points.length >= 6) this.app.fill(draft.points, erase);
    else if (draft.points.length >= 6) this.app.create({ type: "polygon", parts: [[draft.points]] });
    else this.app.say("An outline has three points at least.");
    return true;
  }

  // ---- selection

  pick([x, y], near) {
    const { document: labels, view } = this.app, reach = near / view.scale;
    const chosen = labels.labels.get(view.selected)?.shape;
    if (chosen && chosen.type !== "mask") {
      const handle = handles(chosen).findIndex(([px, py]) => Math.abs(px - x) <= reach && Math.abs(py - y) <= reach);
      if (handle >= 0) { this.drag = { kind: "edit", before: chosen, handle, from: this.corner([x, y]) }; return; }
    }
    const hit = view.shapeAt(x, y);
    this.app.select(hit?.id ?? null);
    if (hit && hit.type !== "mask") this.drag = { kind: "edit", before: hit, handle: -1, from: this.corner([x, y]) };
  }

  // ---- keys: a pen that arrows move and Space puts down

  step([right, down], length) {
    if (!this.app.document) return;
    const { width, height } = this.app.document, { clientWidth, clientHeight } = this.canvas, { view } = this;
    const middle = [(clientWidth / 2 - view.x) / view.scale, (clientHeight / 2 - view.y) / view.scale];
    const from = this.pen ?? middle.map((value, axis) => clamp(Math.floor(value), 0, (axis ? height : width) - 1) + 0.5);
    this.pen = [clamp(from[0] + right * length, 0.5, width - 0.5), clamp(from[1] + down * length, 0.5, height - 0.5)];
    if (this.stroke) this.extend(this.pen);
    else this.dragTo(this.pen);
    view.reveal(this.pen);
    this.showPen(this.pen);
  }

  // Space: the pen goes down, or up again.
  turn() {
    if (!this.pen) { this.step([0, 0], 0); }
    if (["polygon", "area", "select"].includes(this.tool)) {
      this.press(this.pen);
      if (this.tool === "select" && this.drag) { this.down = !this.down; if (!this.down) this.release(); }
    } else if (this.down) {
      this.down = false;
      this.release();
    } else if (this.tool !== "pan") {
      this.press(this.pen);
      this.down = Boolean(this.stroke || this.drag);
    }
    this.app.say(this.down ? "Pen down: arrows draw." : "Pen up: arrows move it.");
    this.showPen(this.pen);
  }

  endKeys() {
    if (this.down) { this.down = false; this.release(); }
    this.pen = null;
    this.showPen(null);
  }

  showPen(at) {
    const round = this.tool === "brush" || this.tool === "eraser", byKeys = this.pen !== null;
    this.view.pen = at && (round || byKeys) ? { at, radius: round ? this.app.radius : null, cross: byKeys, down: this.down } : null;
    this.app.pointed(at);
    this.view.draw();
  }
}

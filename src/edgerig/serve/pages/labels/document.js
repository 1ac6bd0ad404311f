// The labels of a picture: what it had, and all operations upon it, in their order. serve/labels/document.py folds them
// in the same way. Operations that the server has not acknowledged yet come last, whatever others do meanwhile.

import { Canvas, boundsOf, fillSpans, runSpans, strokeSpans } from "./raster.js";

const unconfirmed = Infinity;

export class Document {
  // `base`: shapes that the dataset has of the picture; label: its class there; state: how far it is there.
  constructor(width, height, base = [], { label = null, state = "" } = {}) {
    Object.assign(this, { width, height, base, baseLabel: label, baseState: state, confirmed: [], pending: [] });
    this.canvas = new Canvas(width, height);
    this.fold(this.canvas.whole);
  }

  get revision() { return this.confirmed.at(-1)?.revision ?? 0; }

  get records() { return [...this.confirmed, ...this.pending]; }

  // ---- operations

  // An operation of this page, not acknowledged yet.
  add(record) {
    const mine = { ...record, revision: unconfirmed };
    this.pending.push(mine);
    this.change(mine);
    return mine;
  }

  // More points of the stroke `record`, the last that was added.
  extend(record, points) {
    const { points: all } = record.operation, from = all.slice(-2);
    all.push(...points);
    this.paint(record.operation, [...from, ...points], this.canvas.whole);
  }

  // An operation as the server took it. Whether anything changed by it that was not here already.
  receive(record) {
    if (record.revision <= this.revision) return false;
    const first = this.pending[0];
    if (first?.id === record.id) {
      this.pending.shift();
      this.confirmed.push(record);
      for (const label of this.labels.values()) if (label.record === record.id) label.changed = record.revision;
      return false;
    }
    const at = this.pending.findIndex((each) => each.id === record.id);
    if (at >= 0) this.pending.splice(at, 1);
    this.confirmed.push(record);
    if (this.pending.length === 0 && at < 0) this.change(record);
    else this.fold(this.canvas.whole);
    return true;
  }

  // The server does not take an operation: it never happened.
  refuse(id) {
    this.pending = this.pending.filter((record) => record.id !== id);
    this.fold(this.canvas.whole);
  }

  change(record) {
    const { kind, target } = record.operation;
    if (kind !== "undo" && kind !== "redo") { this.apply(record, this.canvas.whole); return; }
    const undone = this.records.find((each) => each.id === target)?.operation;
    if (undone?.points) this.fold(boundsOf(undone.points, undone.radius ?? 0));
    else this.fold(["delete", "propose"].includes(undone?.kind) ? this.canvas.whole : [0, 0, 0, 0]);
  }

  // Ids of operations that are taken back.
  withdrawn() {
    const ids = new Set();
    for (const { operation } of this.records) {
      if (operation.kind === "undo") ids.add(operation.target);
      else if (operation.kind === "redo") ids.delete(operation.target);
    }
    return ids;
  }

  // Makes everything anew; of the masks the part in `region` alone, where nothing else can have changed.
  fold(region) {
    const { whole } = this.canvas;
    const clip = region === whole ? whole
      : [Math.max(region[0], 0), Math.max(region[1], 0), Math.min(region[2], this.width), Math.min(region[3], this.height)];
    Object.assign(this, {
      labels: new Map(), label: this.baseLabel, labelBy: "", labelModel: "", state: this.baseState, people: [],
    });
    this.canvas.clearAll(clip);
    for (const shape of this.base) this.addShape(shape, { changed: 0, by: "", model: "" }, clip, false);
    const withdrawn = this.withdrawn();
    for (const record of this.records) if (!withdrawn.has(record.id)) this.apply(record, clip);
  }

  apply(record, clip) {
    const { operation, who } = record;
    if (who && !["undo", "redo"].includes(operation.kind) && !this.people.includes(who)) this.people.push(who);
    this[operation.kind]?.(operation, record, clip);
  }

  // ---- kinds of operations

  fill(operation, record, clip) { this.stroke(operation, record, clip); }

  stroke(operation, record, clip) {
    const { mask, erase, label, points } = operation;
    let target = this.labels.get(mask);
    if (target && target.shape.type !== "mask") return;
    if (!target && erase && mask) return;
    if (!target && !erase) {
      target = { shape: { type: "mask", id: mask, label }, model: "" };
      this.labels.set(mask, target);
    }
    if (target) this.touch(target, record);
    this.paint(operation, points, clip);
  }

  paint({ kind, mask, erase, radius }, points, clip) {
    const emit = (y, from, to) => {
      if (erase) this.canvas.erase(mask, y, from, to);
      else this.canvas.paint(mask, y, from, to);
    };
    if (kind === "fill") fillSpans(points, clip, emit); else strokeSpans(points, radius, clip, emit);
  }

  put({ shape }, record) {
    const present = this.labels.get(shape.id);
    if (present?.shape.type === "mask") return;
    const label = { shape, model: "" };
    this.touch(label, record);
    this.labels.set(shape.id, label);
  }

  delete({ shape }, record, clip) {
    const label = this.labels.get(shape);
    if (!label || (label.changed > record.upon && label.by !== "" && label.by !== record.who)) return;
    this.labels.delete(shape);
    this.canvas.clear(shape, clip);
  }

  relabel({ shape, label: name }, record) {
    const label = this.labels.get(shape);
    if (!label) return;
    label.shape = { ...label.shape, label: name };
    this.touch(label, record);
    this.repaint(label);
  }

  accept({ shapes, label: picture }, record) {
    for (const id of shapes) {
      const label = this.labels.get(id);
      if (!label?.model) continue;
      label.model = "";
      label.by = record.who;
      this.repaint(label);
    }
    if (picture && this.labelModel) Object.assign(this, { labelModel: "", labelBy: record.who });
  }

  classify({ label }, record) { Object.assign(this, { label, labelBy: record.who, labelModel: "" }); }

  mark({ state }) { this.state = state; }

  propose({ model, shapes = [], scores = [], label = null }, record, clip) {
    // What nobody has decided on is replaced.
    for (const [id, label] of this.labels) {
      if (!label.model) continue;
      this.labels.delete(id);
      this.canvas.clear(id, clip);
    }
    if (this.labelModel) Object.assign(this, { label: null, labelModel: "" });
    shapes.forEach((shape, index) => {
      if (this.labels.has(shape.id)) return;
      const about = { changed: record.revision, by: "", model, score: scores[index] ?? 0 };
      this.addShape(shape, about, clip, true);
    });
    if (label !== null && this.label === null) Object.assign(this, { label, labelModel: model });
  }

  // ---- shapes

  touch(label, record) {
    Object.assign(label, { by: record.who, changed: record.revision, record: record.id });
  }

  addShape(shape, about, clip, free) {
    const { runs, ...rest } = shape;
    this.labels.set(shape.id, { ...about, shape: rest });
    if (shape.type !== "mask") return;
    runSpans(runs, this.width, clip, (y, from, to) => {
      if (free) this.canvas.addFree(shape.id, y, from, to);
      else this.canvas.add(shape.id, y, from, to);
    });
  }

  // A mask has another colour now.
  repaint(label) {
    for (const key of this.canvas.masks.get(label.shape.id)?.keys() ?? []) this.canvas.dirty.add(key);
  }
}

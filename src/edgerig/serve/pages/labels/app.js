// What one can do on the page: pointers, keys and buttons all come here.

import { Document } from "./document.js";

const UNDOABLE = new Set(["stroke", "fill", "put", "delete", "relabel", "accept", "classify", "mark"]);
const newId = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");

export class App {
  // `parts`: by(id), link, view, list, panel, tools, say(text), tell(message).
  constructor() {
    Object.assign(this, { document: null, classes: [], klass: "", radius: null, mask: null, picture: "", panning: false });
  }

  connect(parts) { Object.assign(this, parts); }

  get me() { return this.link.name; }

  colourOf(name) { return this.classes.find((each) => each.name === name)?.colour ?? "#888888"; }

  // ---- operations

  record(operation) {
    return { id: newId(), who: this.me, upon: this.document.revision, operation };
  }

  // Does something to the picture: here at once, and for the others once the server has it.
  act(operation) {
    if (!this.document) return;
    const record = this.record(operation);
    this.view.preview = null;
    this.document.add(record);
    this.post(record);
    this.changed();
  }

  post({ id, upon, operation }) { this.link.do({ picture: this.picture, id, upon, operation }); }

  begin(operation) {
    const record = this.document.add(this.record(operation));
    this.stroking = record;
    return record;
  }

  finish(record) {
    this.stroking = null;
    this.post(record);
    this.changed();
  }

  abandon(record) {
    this.stroking = null;
    this.document.refuse(record.id);
    this.changed();
  }

  // What this person did and could take back, the last first; or took back and could do again.
  mine(withdrawn) {
    const { document } = this, taken = document.withdrawn();
    const own = document.records.filter((each) => each.who === this.me);
    if (!withdrawn) return own.filter((each) => UNDOABLE.has(each.operation.kind) && !taken.has(each.id)).at(-1);
    // After something new there is nothing to do again.
    const since = own.slice(own.findLastIndex((each) => UNDOABLE.has(each.operation.kind)) + 1);
    const undone = since.filter((each) => each.operation.kind === "undo" && taken.has(each.operation.target));
    return undone.at(-1)?.operation;
  }

  undo() {
    if (!this.document || this.stroking) return;
    if (this.view.draft && this.tools.removePoint()) return;
    const last = this.mine(false);
    if (last) this.act({ kind: "undo", target: last.id }); else this.say("Nothing of yours to undo.");
  }

  redo() {
    if (!this.document || this.stroking) return;
    const last = this.mine(true);
    if (last) this.act({ kind: "redo", target: last.target }); else this.say("Nothing to redo.");
  }

  // ---- what the server says

  opened(message, image) {
    const { width, height, shapes, label, state, records } = message;
    const document = new Document(width, height, shapes, { label, state });
    document.confirmed = records;
    const taken = new Set(records.map((record) => record.id));
    document.pending = this.link.waiting(message.name).filter((entry) => !taken.has(entry.id))
      .map((entry) => ({ ...entry, who: this.me, revision: Infinity }));
    if (this.stroking && message.name === this.picture) document.pending.push(this.stroking);
    document.fold(document.canvas.whole);
    const again = this.document && message.name === this.picture;
    this.document = document;
    this.picture = message.name;
    if (again) {
      Object.assign(this.view, { document });
      this.view.tiles.clear();
      this.view.recolour();
    } else {
      this.tools.cancel();
      this.mask = null;
      this.view.show(image, document);
    }
    this.changed();
  }

  heard(record) {
    if (!this.document || record.picture !== this.picture) return;
    this.document.receive(record);
    this.changed();
  }

  refused({ id, message }) {
    this.document?.refuse(id);
    this.tell(message);
    if (this.document) this.changed();
  }

  changed() {
    const { view, document } = this;
    if (view.selected && !document?.labels.has(view.selected)) view.select(null);
    view.draw();
    this.panel.draw();
  }

  // ---- classes

  choose(name) {
    this.klass = name;
    this.mask = null;
    this.panel.drawClass();
    const selected = this.document?.labels.get(this.view.selected);
    if (selected && selected.shape.label !== name) this.act({ kind: "relabel", shape: selected.shape.id, label: name });
    if (this.view.draft) { this.view.draft.label = name; this.view.draw(); }
    this.say(`Class ${name}`);
  }

  chooseNumber(number) {
    const klass = this.classes[number - 1];
    if (klass) this.choose(klass.name); else this.say(`There is no class ${number}.`);
  }

  nextClass(by) {
    const { length } = this.classes, at = this.classes.findIndex(({ name }) => name === this.klass);
    if (length) this.choose(this.classes[(at + by + length) % length].name);
  }

  classify(label) {
    this.act({ kind: "classify", label });
    this.say(label ? `The picture is ${label}.` : "The picture has no class.");
  }

  classifyNumber(number) {
    const klass = this.classes[number - 1];
    if (klass) this.classify(this.document?.label === klass.name && !this.document.labelModel ? null : klass.name);
  }

  // ---- masks: the one that a stroke goes to

  target(erase) {
    const { labels } = this.document, selected = labels.get(this.view.selected)?.shape;
    if (erase) return selected?.type === "mask" ? selected.id : "";
    if (this.mask) return this.mask;
    if (selected?.type === "mask" && selected.label === this.klass) return selected.id;
    const usual = `mask:${this.classes.findIndex(({ name }) => name === this.klass)}`;
    if (labels.get(usual)?.shape.label === this.klass) return usual;
    const same = [...labels.values()].filter(({ shape }) => shape.type === "mask" && shape.label === this.klass).at(-1);
    return same?.shape.id ?? (labels.has(usual) ? `${usual}:${newId()}` : usual);
  }

  // Paints what lies within an outline, or erases it.
  fill(points, erase) {
    this.act({ kind: "fill", mask: this.target(erase), label: erase ? "" : this.klass, points, erase });
  }

  newMask() {
    if (!this.klass) { this.say("Choose a class first."); return; }
    this.select(null);
    this.mask = `mask:${newId()}`;
    this.use("brush");
    this.say(`The next stroke begins a new ${this.klass}.`);
  }

  // ---- shapes

  create(shape) {
    if (!this.klass) { this.say("Choose a class first."); return; }
    this.act({ kind: "put", shape: { id: newId(), label: this.klass, ...shape } });
  }

  preview(shape) {
    this.view.preview = shape;
    this.view.draw();
  }

  select(id) {
    this.view.select(id);
    this.mask = null;
    const shape = this.document?.labels.get(id)?.shape;
    if (shape) {
      this.klass = shape.label;
      this.panel.drawClass();
      this.say(`${shape.type} ${shape.label} is selected.`);
    }
    this.changed();
  }

  visible({ shape }) {
    if (shape.type !== "mask") return true;
    return [...(this.document.canvas.masks.get(shape.id)?.values() ?? [])].some((tile) => tile.includes(1));
  }

  selectNext(by) {
    const ids = [...(this.document?.labels.values() ?? [])].filter((label) => this.visible(label)).map(({ shape }) => shape.id);
    if (!ids.length) return;
    const at = ids.indexOf(this.view.selected);
    this.select(ids[at < 0 ? (by > 0 ? 0 : ids.length - 1) : (at + by + ids.length) % ids.length]);
  }

  remove(key) {
    if (key === "Backspace" && this.tools.removePoint()) return;
    if (this.view.selected) this.act({ kind: "delete", shape: this.view.selected });
    else this.say("Select a shape first: s, or click it with the tool Select.");
  }

  proposed() { return [...(this.document?.labels.values() ?? [])].filter(({ model }) => model).map(({ shape }) => shape.id); }

  acceptAll() {
    const shapes = this.proposed(), label = Boolean(this.document?.labelModel);
    if (shapes.length || label) this.act({ kind: "accept", shapes, label });
  }

  rejectAll() {
    for (const shape of this.proposed()) this.act({ kind: "delete", shape });
    if (this.document?.labelModel) this.act({ kind: "classify", label: null });
  }

  // ---- pictures

  // Done says that everything that is seen is right, what a network proposes as well.
  mark(state) {
    if (!this.document) return;
    if (state === "done") this.acceptAll();
    this.act({ kind: "mark", state });
    this.say(`${this.picture} is ${state}.`);
    this.go(1);
  }

  enter() {
    if (!this.tools.closePolygon()) this.mark("done");
  }

  go(by) {
    const name = this.list.step(by);
    if (name !== this.picture) this.open(name);
    else this.say(by > 0 ? "That was the last picture of the list." : "That was the first picture of the list.");
  }

  commit() {
    if (this.link.outbox.length) { this.tell("Strokes wait for the connection; commit when it is back."); return; }
    if (this.link.send({ type: "commit" })) this.tell("Writing a version …", "note");
    else this.tell("There is no connection to the server.");
  }

  // ---- the view

  use(tool) {
    this.tools.use(tool);
    this.showTool(tool);
  }

  resize(by) { this.setRadius(this.radius + by * Math.max(1, Math.round(this.radius / 8))); }

  setRadius(radius) {
    this.radius = Math.min(512, Math.max(0, Math.round(radius)));
    this.showRadius();
    this.tools.showPen(this.view.pen?.at ?? null);
  }

  step(direction, event) {
    if (this.view.draft || this.tools.pen || !this.nudge(direction, event)) {
      const usual = Math.max(1, Math.round(6 / this.view.scale));
      this.tools.step(direction, event.altKey ? 1 : event.shiftKey ? 10 * usual : usual);
    }
  }

  // Arrows move a selected shape, where the tool is Select and the pen is not out.
  nudge([right, down], event) {
    const label = this.document?.labels.get(this.view.selected), by = event.shiftKey ? 10 : 1;
    if (this.tools.tool !== "select" || !label || label.shape.type === "mask") return false;
    // From the middle of the picture, so that both ends lie in it.
    const from = [Math.round(this.document.width / 2), Math.round(this.document.height / 2)];
    this.tools.drag = { kind: "edit", before: label.shape, handle: -1, from };
    this.tools.dragTo([from[0] + right * by, from[1] + down * by]);
    this.tools.release();
    return true;
  }

  turn() { this.tools.turn(); }

  cancel() { if (!this.tools.cancel() && this.view.selected) this.select(null); }
}
